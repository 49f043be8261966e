"""Which of a task's annotations is on the annotator's page.

Label Studio's requests do not say, nor who asks. They carry all annotations of the task, all
drafts, which the page saves five seconds after a change, and all predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotation:
    """What is saved of it.

    Attributes:
        rows: Label Studio's result.
        stamp: Changes whenever it is saved.
    """

    rows: tuple[Any, ...] = ()
    stamp: str = ""

    def has_any(self, ids: frozenset[str]) -> bool:
        """Return whether one of the rows has one of these ids."""
        return any(isinstance(row, dict) and storable(row.get("id")) in ids for row in self.rows)


def storable(name: object) -> str:
    """Return a name in letters that can be stored, and not too many of them."""
    return str(name).encode(errors="backslashreplace").decode()[:100]


def annotation_on_page(task: Mapping[str, Any], point_ids: frozenset[str]) -> Annotation:
    """Return the annotation that is being clicked in, empty where that cannot be known.

    The one that holds the points of the request. Where none does yet, the one that was saved
    last, or a prediction, from which the page starts an annotation. Not so where several people
    are to annotate the task, each on their own: it may be somebody else's.

    Args:
        task: As Label Studio sends it.
        point_ids: Of the clicks.
    """
    drafts = _entries(task, "drafts")
    replaced = {storable(draft.get("annotation")) for draft in drafts}
    annotations = [
        entry
        for entry in _entries(task, "annotations")
        if storable(entry.get("id")) not in replaced
    ]
    saved = [_annotation(entry) for entry in (*drafts, *annotations)]
    clicked = [entry for entry in saved if entry.has_any(point_ids)]
    overlap = task.get("overlap")
    if not clicked and isinstance(overlap, int) and overlap > 1:
        return Annotation()
    candidates = clicked or saved or [_annotation(entry) for entry in _entries(task, "predictions")]
    return max(candidates, key=lambda entry: entry.stamp, default=Annotation())


def _entries(task: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    listed = task.get(name)
    return (
        [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    )


def _annotation(entry: Mapping[str, Any]) -> Annotation:
    result = entry.get("result")
    rows = tuple(result) if isinstance(result, list) else ()
    return Annotation(rows=rows, stamp=str(entry.get("updated_at", "")))
