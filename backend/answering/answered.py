"""What the page was answered, so that the next request is understood before the page has saved.

Label Studio's page saves a draft five seconds after a change, and tells nothing of what became of
an answer until then. So each object's last answer is remembered for an hour, with the prompts that
led to it, in a file that all workers share and that outlives them.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.label_studio.page import storable
from backend.label_studio.region_request import PlacedPrompt, RegionRequest
from backend.label_studio.request import TaskRequest
from backend.storage.kept import Kept
from backend.storage.packed_runs import pack, unpack
from mfp_model.errors import MfpError
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Box, Click

_log = logging.getLogger(__name__)
_KEPT_S = 3600.0
_MAX_OF_TASK = 32  # the newest; older ones are on the page as it saved them
_MAX_ROWS = 50_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answered (
    task TEXT, place TEXT, annotation TEXT, object TEXT, regions TEXT, labels TEXT, placed TEXT,
    stamp TEXT, is_new INTEGER, prior BLOB, answer BLOB, shown BLOB, at REAL,
    PRIMARY KEY (task, place, annotation, object)
);
DROP TABLE IF EXISTS edited;
DROP TABLE IF EXISTS edited_masks
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnsweredObject:
    """An object and its last answer.

    Attributes:
        regions: Ids of the page's regions that it is made of, in order.
        labels: Its labels.
        placed: The prompts that it answers, oldest first.
        annotation: The annotation that it was answered in, see `backend.answering.on_page`.
        stamp: What was saved of the annotation then.
        is_new: It was begun by the clicks, and not by a mask that was there.
        prior: The mask that it was begun on; None where it was begun by the clicks.
        answer: The mask.
        shown: The pixels of the page's regions, which polygons round.
        at: Seconds since 1970.
    """

    regions: tuple[str, ...]
    labels: tuple[str, ...]
    placed: tuple[PlacedPrompt, ...]
    annotation: str
    stamp: str
    is_new: bool
    prior: MaskRuns | None
    answer: MaskRuns
    shown: MaskRuns
    at: float

    @property
    def point_ids(self) -> frozenset[str]:
        """Ids of all prompts."""
        return frozenset(one.id for one in self.placed)

    @property
    def open_ids(self) -> frozenset[str]:
        """Ids of the prompts that the page sends along as long as it is not accepted."""
        return frozenset(one.id for one in self.placed if one.is_open)


class AnsweredObjects:
    """Remembers them; any thread may use it."""

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        """Open the file, or make it; None keeps all in memory, for one process."""
        self.clock = clock
        self._kept = Kept(path, _SCHEMA, failure="what the page was answered is not known")

    def of(self, task: TaskRequest, region: RegionRequest) -> list[AnsweredObject]:
        """Return the newest objects of a task's image and control, oldest first."""
        rows = self._kept.read(
            "SELECT annotation, regions, labels, placed, stamp, is_new, prior, answer, shown, at "
            "FROM answered WHERE task = ? AND place = ? AND at > ? ORDER BY at DESC LIMIT ?",
            _name(task),
            _place(task, region),
            self.clock() - _KEPT_S,
            _MAX_OF_TASK,
        )
        size = {"height": region.height, "width": region.width}
        objects = (_object(row, **size) for row in reversed(rows))
        return [one for one in objects if one is not None]

    def remember(self, task: TaskRequest, region: RegionRequest, answered: AnsweredObject) -> None:
        """Keep an object's answer in the place of its last one."""
        now = self.clock()
        row = (
            _name(task),
            _place(task, region),
            storable(answered.annotation),
            answered.regions[0],
            json.dumps(answered.regions),
            json.dumps(answered.labels),
            json.dumps([_packed(one) for one in answered.placed]),
            storable(answered.stamp),
            answered.is_new,
            None if answered.prior is None else pack(answered.prior),
            pack(answered.answer),
            pack(answered.shown),
            answered.at,
        )
        self._kept.write(
            f"INSERT OR REPLACE INTO answered VALUES ({', '.join('?' * len(row))})",
            [row],
            trim=[
                ("DELETE FROM answered WHERE at < ?", now - _KEPT_S),
                (
                    "DELETE FROM answered WHERE rowid <= (SELECT max(rowid) FROM answered) - ?",
                    _MAX_ROWS,
                ),
            ],
        )


def _name(task: TaskRequest) -> str:
    return storable(f"{task.project}/{task.task_id}")


def _place(task: TaskRequest, region: RegionRequest) -> str:
    """The control, the image and its size."""
    control = region.control
    page = "" if task.image_index is None else task.image_index
    return storable(f"{region.width}x{region.height} {page} {control.to_name} {control.name}")


def _packed(one: PlacedPrompt) -> list[Any]:
    prompt = one.prompt
    if isinstance(prompt, Box):
        where: list[float] = [prompt.left, prompt.top, prompt.right, prompt.bottom]
    else:
        where = [prompt.x, prompt.y, float(prompt.is_positive)]
    return [one.id, one.control, where, one.is_beside_selected, one.is_open]


def _unpacked(entry: list[Any]) -> PlacedPrompt:
    name, control, where, is_beside_selected, is_open = entry
    if len(where) == 4:
        left, top, right, bottom = where
        prompt: Click | Box = Box(left=left, top=top, right=right, bottom=bottom)
    else:
        x, y, sign = where
        prompt = Click(x=x, y=y, is_positive=bool(sign))
    return PlacedPrompt(
        id=name,
        control=control,
        prompt=prompt,
        is_beside_selected=is_beside_selected,
        is_open=is_open,
    )


def _object(row: tuple[Any, ...], *, height: int, width: int) -> AnsweredObject | None:
    """What a row says; None for one that is damaged, as if it was never answered."""
    annotation, regions, labels, placed, stamp, is_new, prior, answer, shown, at = row
    size = {"height": height, "width": width}
    try:
        return AnsweredObject(
            regions=tuple(json.loads(regions)),
            labels=tuple(json.loads(labels)),
            placed=tuple(_unpacked(entry) for entry in json.loads(placed)),
            annotation=str(annotation),
            stamp=str(stamp),
            is_new=bool(is_new),
            prior=None if prior is None else unpack(prior, **size),
            answer=unpack(answer, **size),
            shown=unpack(shown, **size),
            at=float(at),
        )
    except (MfpError, ValueError) as error:
        _log.warning("an answer is not remembered: %s", error)
        return None
