"""Which mask a click edits, and what the answer must not cover.

An object whose first click lies on a mask of the annotation is that mask, being edited: the answer
carries its id, and the page puts it in the mask's place when it is accepted. The mask that the
object was begun on stays its prior to its last click, whatever the page saves meanwhile. Since an
accepted answer takes the page some seconds to save, the answer itself is remembered until then, so
that a mask edited twice in a row does not lose the first edit. Both are kept in a file that all
workers share and that outlives them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from backend.answering.edit import Edit
from backend.answering.existing import ExistingMask, ExistingMasks
from backend.label_studio.page import storable
from backend.label_studio.request import RegionRequest, TaskRequest
from backend.storage.kept import KEPT_S, Kept
from backend.storage.packed_runs import pack, unpack
from mfp_model.errors import DataError
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Click

_SCHEMA = """
CREATE TABLE IF NOT EXISTS edited_masks (
    task TEXT, annotation TEXT, region TEXT, points TEXT, stamp TEXT, prior BLOB, answer BLOB,
    at REAL, PRIMARY KEY (task, annotation, region)
);
DROP TABLE IF EXISTS edited
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Known:
    """The last answer about a mask: the object's points, what was saved then, and two masks."""

    points: frozenset[str]
    stamp: str
    prior: MaskRuns
    answer: MaskRuns


class Edits:
    """Finds and remembers them."""

    def __init__(
        self,
        existing: ExistingMasks,
        path: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the file, or make it; None keeps all in memory, for one process."""
        self._existing = existing
        self._clock = clock
        self._kept = Kept(path, _SCHEMA, failure="what was edited is not known")

    def edit(self, task: TaskRequest, region: RegionRequest) -> Edit:
        """Return what an object's clicks edit, and what is around it."""
        size = {"height": region.height, "width": region.width}
        masks = self._existing.read(task.there, region.control, **size)
        if not masks:
            return Edit()
        known = self._known(task, region)
        masks = [_as_on_page(mask, known.get(storable(mask.id)), task, region) for mask in masks]
        found = _under_first_click(masks, region)
        return Edit(
            region_id=found.id if found else None,
            labels=found.labels if found else (),
            prior=_prior(found, known, region) if found else None,
            others=None if region.control.overlaps else _others(masks, found, region.clicks),
        )

    def prepare(self, task: TaskRequest, *, height: int, width: int) -> None:
        """Read the masks of a task that is being opened, so that its first click need not."""
        if task.control is not None:
            self._existing.read(task.there, task.control, height=height, width=width)

    def note(self, task: TaskRequest, region: RegionRequest, edit: Edit, answer: MaskRuns) -> None:
        """Remember the answer about a mask that is being edited.

        The page shows nothing of an answer without a pixel, so the mask then stays as it was.
        """
        if edit.region_id is None or edit.prior is None:
            return
        on_page = answer if answer.rows.size else edit.prior
        points, now = json.dumps(sorted(region.point_ids)), self._clock()
        row = (_name(task), _annotation(task, region), storable(edit.region_id), points)
        masks = (storable(task.there.stamp), pack(edit.prior), pack(on_page))
        self._kept.write(
            "INSERT OR REPLACE INTO edited_masks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(*row, *masks, now)],
            trim=[("DELETE FROM edited_masks WHERE at < ?", now - KEPT_S)],
        )

    def _known(self, task: TaskRequest, region: RegionRequest) -> dict[str, _Known]:
        """The last answers about the annotation's masks, by region id.

        These were noted for it, or are to points that it or the request has. Masks of one
        prediction have the same ids in several people's annotations.
        """
        rows = self._kept.read(
            "SELECT annotation, region, points, stamp, prior, answer FROM edited_masks "
            "WHERE task = ? ORDER BY at",
            _name(task),
        )
        known, owner = {}, _annotation(task, region)
        for annotation, name, listed, stamp, prior, answer in rows:
            size = {"height": region.height, "width": region.width}
            points = frozenset(json.loads(listed))
            is_ours = points & region.point_ids or task.there.has_any(points)
            if annotation != owner and not is_ours:
                continue
            try:
                known[str(name)] = _Known(
                    points=points,
                    stamp=str(stamp),
                    prior=unpack(prior, **size),
                    answer=unpack(answer, **size),
                )
            except DataError:  # of another image of the task
                continue
        return known


def _name(task: TaskRequest) -> str:
    return storable(f"{task.project}/{task.task_id}")


def _annotation(task: TaskRequest, region: RegionRequest) -> str:
    """The annotation's name; of one that several people begin for themselves, whoever clicks."""
    return f"points {min(region.point_ids)}" if task.there.is_shared else task.there.name


def _as_on_page(
    mask: ExistingMask, known: _Known | None, task: TaskRequest, region: RegionRequest
) -> ExistingMask:
    """The mask; its last answer where that was accepted and is not saved yet.

    An answer to other points is done with. If nothing was saved since, or what was saved still
    has its points, then accepting it is not saved. Somebody may have dismissed it instead: then
    this prior shows what they dismissed, until the page saves; nothing that they made is lost.
    Where several people begin with one prediction, each sees it as it is.
    """
    if known is None or known.points & region.point_ids or task.there.is_shared:
        return mask
    is_saved = known.stamp != storable(task.there.stamp) and not task.there.has_any(known.points)
    return mask if is_saved else replace(mask, runs=known.answer)


def _under_first_click(masks: list[ExistingMask], region: RegionRequest) -> ExistingMask | None:
    """The smallest mask of the points' labels that the first click lies on."""
    first, named = region.clicks[0], {*region.named}
    hit = [
        mask
        for mask in masks
        if named <= {region.control.written(label) for label in mask.labels}
        and _lies_on(mask.runs, first)
    ]
    return min(hit, key=lambda mask: int(mask.runs.lengths.sum()), default=None)


def _prior(found: ExistingMask, known: Mapping[str, _Known], region: RegionRequest) -> MaskRuns:
    begun = known.get(storable(found.id))
    return begun.prior if begun and begun.points & region.point_ids else found.runs


def _others(
    masks: list[ExistingMask], edited: ExistingMask | None, clicks: tuple[Click, ...]
) -> MaskRuns | None:
    """The masks beside the edited one; what a click claims may be covered."""
    claims = [click for click in clicks if click.is_positive]
    others = [
        mask.runs
        for mask in masks
        if mask is not edited and not any(_lies_on(mask.runs, click) for click in claims)
    ]
    return others[0].union(*others[1:]) if others else None


def _lies_on(runs: MaskRuns, click: Click) -> bool:
    x, y = min(int(click.x), runs.width - 1), min(int(click.y), runs.height - 1)
    return runs.index_at(x=x, y=y) is not None
