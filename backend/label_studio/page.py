"""Which of a task's annotations is on the annotator's page.

Label Studio's requests do not say, nor whether two people work on a task. They carry all
annotations of the task, all predictions, and the drafts of whoever clicks, which the page saves
five seconds after a change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from backend.label_studio.points import is_box
from backend.label_studio.projects import UNKNOWN_RULES, ProjectRules
from backend.label_studio.relations import is_relation

_MAX_LETTERS, _DIGEST_LETTERS = 100, 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotation:
    """What is saved of it.

    Attributes:
        rows: Label Studio's result.
        name: What tells it from the task's others, a draft and what it is a draft of being one;
            empty for a new one.
        stamp: Changes whenever it is saved.
        is_unsure: Whoever clicks may have another one on the page; the draft that the page saves
            of the click tells.
        is_shared: Several people may begin with it, each for themselves.
        elsewhere: Rows of further drafts of whoever clicks, one of which may be on the page.
    """

    rows: tuple[Any, ...] = ()
    name: str = ""
    stamp: str = ""
    is_unsure: bool = False
    is_shared: bool = False
    elsewhere: tuple[Any, ...] = ()

    def has_any(self, ids: frozenset[str]) -> bool:
        """Return whether one of the rows has one of these ids."""
        return any(isinstance(row, dict) and storable(row.get("id")) in ids for row in self.rows)

    def has_open(self, ids: frozenset[str]) -> bool:
        """Return whether one of these points was not accepted or left when this was saved."""
        rows = (row for row in self.rows if isinstance(row, dict))
        return any(
            storable(row.get("id")) in ids and isinstance(row.get("is_positive"), bool)
            for row in rows
        )

    def has_waiting(self, ids: frozenset[str]) -> bool:
        """Return whether one of these prompts may have waited for the check when this was saved.

        A point that a reload or a submission left behind has no sign. Boxes never have one.
        """
        boxes = (
            storable(row.get("id"))
            for row in self.rows
            if isinstance(row, dict) and isinstance(row.get("value"), dict) and is_box(row)
        )
        return self.has_open(ids) or not ids.isdisjoint(boxes)

    def at(self, index: int | None) -> Annotation:
        """Return what it holds of one of a task's pages, all where the task has one image."""
        if index is None:
            return self
        rows, elsewhere = (_on_page(rows, index) for rows in (self.rows, self.elsewhere))
        return replace(self, rows=rows, elsewhere=elsewhere)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Page:
    """What is on the page.

    Attributes:
        annotation: The annotation that is being clicked in, empty for a new one.
        doubt: Why it is taken for a new one although it need not be; empty where that is certain.
    """

    annotation: Annotation
    doubt: str = ""


def storable(name: object) -> str:
    """Return a name in letters that can be stored, and not too many of them.

    Long names that begin alike stay different.
    """
    letters = str(name).encode(errors="backslashreplace").decode()
    letters = letters.replace("\0", "\\0")  # which PostgreSQL cannot store
    if len(letters) <= _MAX_LETTERS:
        return letters
    digest = hashlib.sha256(letters.encode()).hexdigest()[:_DIGEST_LETTERS]
    return letters[: _MAX_LETTERS - _DIGEST_LETTERS] + digest


def page_of(
    task: Mapping[str, Any], point_ids: frozenset[str], rules: ProjectRules = UNKNOWN_RULES
) -> Page:
    """Return what is on the page of whoever clicks.

    The annotation that holds the points of the request. Where none does yet, their draft. Where
    there is no draft, the one annotation that was submitted, if the project asks for one annotator;
    it is unsure, since beside it a new one may have been begun («+»). So is the newest of several
    drafts. Where nothing was annotated at all, the prediction that the project shows, from which
    the page starts an annotation. In all other cases a new annotation.

    Args:
        task: As Label Studio sends it.
        point_ids: Of the clicks.
        rules: Of the task's project.
    """
    drafts = [_annotation(entry) for entry in _entries(task, "drafts")]
    annotations = _entries(task, "annotations")
    replaced = {draft.name for draft in drafts}
    submitted = [
        annotation
        for annotation in map(_annotation, annotations)
        if annotation.name not in replaced
    ]
    clicked = [annotation for annotation in (*drafts, *submitted) if annotation.has_any(point_ids)]
    if clicked or len(drafts) == 1:
        return Page(annotation=max(clicked or drafts, key=lambda annotation: annotation.stamp))
    if drafts and rules.n_annotators == 1:
        newest = max(drafts, key=lambda draft: draft.stamp)
        elsewhere = tuple(row for draft in drafts if draft is not newest for row in draft.rows)
        return Page(annotation=replace(newest, is_unsure=True, elsewhere=elsewhere))
    if drafts:  # any of them may be on the page
        return Page(annotation=Annotation())
    if annotations:
        return _submitted(annotations, rules)
    return _predicted(task, rules)


def _submitted(annotations: list[Mapping[str, Any]], rules: ProjectRules) -> Page:
    """The only annotation of a task for one annotator."""
    if rules.n_annotators is None:
        return Page(
            annotation=Annotation(), doubt=f"whether others annotate it, too ({rules.doubt})"
        )
    if rules.n_annotators > 1 or len(annotations) > 1 or annotations[0].get("was_cancelled"):
        return Page(annotation=Annotation())
    return Page(annotation=replace(_annotation(annotations[0]), is_unsure=True))


def _predicted(task: Mapping[str, Any], rules: ProjectRules) -> Page:
    """The prediction that the page starts an annotation from."""
    predictions = [entry for entry in _entries(task, "predictions") if entry.get("result")]
    if not predictions:
        return Page(annotation=Annotation())
    if rules.shows_predictions is None:
        return Page(annotation=Annotation(), doubt=f"whether it shows predictions ({rules.doubt})")
    if not rules.shows_predictions:
        return Page(annotation=Annotation())
    version = rules.model_version
    of_version = [entry for entry in predictions if entry.get("model_version") == version]
    newest = max(of_version or predictions, key=lambda entry: str(entry.get("updated_at", "")))
    begun = replace(_annotation(newest), name="")
    return Page(annotation=replace(begun, is_shared=rules.n_annotators != 1))


def _on_page(rows: tuple[Any, ...], index: int) -> tuple[Any, ...]:
    objects = (row for row in rows if isinstance(row, dict))
    return tuple(
        row for row in objects if is_relation(row) or (row.get("item_index") or 0) == index
    )


def _entries(task: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entries = task.get(name)
    return (
        [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    )


def _annotation(entry: Mapping[str, Any]) -> Annotation:
    result = entry.get("result")
    return Annotation(
        rows=tuple(result) if isinstance(result, list) else (),
        name=_name(entry),
        stamp=str(entry.get("updated_at", "")),
    )


def _name(entry: Mapping[str, Any]) -> str:
    """Of an annotation, or of a draft, which says what it is a draft of."""
    if "annotation" not in entry:
        return storable(f"annotation {entry.get('id')}")
    of = entry["annotation"]
    return storable(f"draft {entry.get('id')}" if of is None else f"annotation {of}")
