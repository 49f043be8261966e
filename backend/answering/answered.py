"""What the page was answered, so that the next request is understood before the page has saved.

Label Studio's page saves a draft five seconds after a change, and tells nothing of what became of
an answer until then. So each object's last answer is remembered for an hour, with the prompts that
led to it, in a file that all workers share and that outlives them.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.label_studio.page import storable
from backend.label_studio.region_request import PlacedPrompt, RegionRequest
from backend.label_studio.request import TaskRequest
from backend.storage.kept import Kept
from backend.storage.packed_runs import pack, unpack
from mfp_model.errors import MfpError
from mfp_model.finding.alike import MAX_ALIKE
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Box, Click

_log = logging.getLogger(__name__)
_KEPT_S = 3600.0
WAITING_S = 600.0  # of what waits for its check
_MAX_OF_TASK = 32 + MAX_ALIKE  # the newest; older ones are on the page as it saved them
_MAX_ROWS, _N_COLUMNS = 50_000, 15
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answered_objects (
    task TEXT, place TEXT, annotation TEXT, object TEXT, regions TEXT, labels TEXT, placed TEXT,
    alike_to TEXT, stamp TEXT, is_new INTEGER, is_left INTEGER, prior BLOB, answer BLOB,
    shown BLOB, at REAL,
    PRIMARY KEY (task, place, annotation, object)
);
DROP TABLE IF EXISTS answered;
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
        alike_to: Ids of the example's prompts, where it was found by all like this.
        annotation: The annotation that it was answered in, see `backend.answering.on_page`.
        stamp: What was saved of the annotation then.
        is_new: It was not begun by a mask that was there.
        prior: The mask that its prompts edit; None where they began it.
        answer: The mask.
        shown: The pixels of the page's regions, which polygons round.
        at: Seconds since 1970.
        is_left: Somebody has opened the task since then.
    """

    regions: tuple[str, ...]
    labels: tuple[str, ...]
    placed: tuple[PlacedPrompt, ...]
    alike_to: frozenset[str] = frozenset()
    annotation: str
    stamp: str
    is_new: bool
    prior: MaskRuns | None
    answer: MaskRuns
    shown: MaskRuns
    at: float
    is_left: bool = False

    @property
    def point_ids(self) -> frozenset[str]:
        """Ids of all prompts."""
        return frozenset(one.id for one in self.placed)

    @property
    def asked_ids(self) -> frozenset[str]:
        """Ids of all prompts of the requests that it answers."""
        return self.point_ids | self.alike_to

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
        """Return the newest objects of a task's image and control, oldest first.

        What was found by all like this is a mask like any other once it is saved.
        """
        now = self.clock()
        rows = self._kept.read(
            "SELECT annotation, regions, labels, placed, alike_to, stamp, is_new, is_left, prior, "
            "answer, shown, at FROM answered_objects WHERE task = ? AND place = ? AND at > ? "
            "AND (alike_to = '[]' OR at > ?) ORDER BY at DESC, rowid DESC LIMIT ?",
            _name(task),
            _place(task, region),
            now - _KEPT_S,
            now - WAITING_S,
            _MAX_OF_TASK,
        )
        size = {"height": region.height, "width": region.width}
        objects = (_object(row, **size) for row in reversed(rows))
        return [one for one in objects if one is not None]

    def remember(
        self, task: TaskRequest, region: RegionRequest, answered: Sequence[AnsweredObject]
    ) -> None:
        """Keep the objects of an answer, each in the place of its last one."""
        now, name, place = self.clock(), _name(task), _place(task, region)
        rows = [(name, place, *_row(one)) for one in answered]
        self._kept.write(
            f"INSERT OR REPLACE INTO answered_objects VALUES ({', '.join('?' * _N_COLUMNS)})",
            rows,
            trim=[
                ("DELETE FROM answered_objects WHERE at < ?", now - _KEPT_S),
                (
                    "DELETE FROM answered_objects "
                    "WHERE rowid <= (SELECT max(rowid) FROM answered_objects) - ?",
                    _MAX_ROWS,
                ),
            ],
        )

    def forget(
        self, task: TaskRequest, region: RegionRequest, answered: Sequence[AnsweredObject]
    ) -> None:
        """Drop objects that another answer has replaced."""
        self._kept.write(
            "DELETE FROM answered_objects WHERE task = ? AND place = ? AND annotation = ? "
            "AND object = ?",
            [
                (_name(task), _place(task, region), one.annotation, one.regions[0])
                for one in answered
            ],
        )

    def leave(self, task: TaskRequest) -> None:
        """Note that a task was opened, which ends what was on the page and not saved."""
        self._kept.write(
            "UPDATE answered_objects SET is_left = 1 WHERE task = ? AND is_left = 0",
            [(_name(task),)],
        )


def _name(task: TaskRequest) -> str:
    return storable(f"{task.project}/{task.task_id}")


def _place(task: TaskRequest, region: RegionRequest) -> str:
    """The control, the image and its size."""
    control = region.control
    page = "" if task.image_index is None else task.image_index
    return storable(f"{region.width}x{region.height} {page} {control.to_name} {control.name}")


def _row(answered: AnsweredObject) -> tuple[object, ...]:
    """A row without task and place."""
    return (
        storable(answered.annotation),
        answered.regions[0],
        json.dumps(answered.regions),
        json.dumps(answered.labels),
        json.dumps([_packed(one) for one in answered.placed]),
        json.dumps(sorted(answered.alike_to)),
        storable(answered.stamp),
        answered.is_new,
        answered.is_left,
        None if answered.prior is None else pack(answered.prior),
        pack(answered.answer),
        pack(answered.shown),
        answered.at,
    )


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
    annotation, regions, labels, placed, alike_to, stamp, is_new, is_left, *masks, at = row
    prior, answer, shown = masks
    size = {"height": height, "width": width}
    try:
        return AnsweredObject(
            regions=tuple(json.loads(regions)),
            labels=tuple(json.loads(labels)),
            placed=tuple(_unpacked(entry) for entry in json.loads(placed)),
            alike_to=frozenset(json.loads(alike_to)),
            annotation=str(annotation),
            stamp=str(stamp),
            is_new=bool(is_new),
            prior=None if prior is None else unpack(prior, **size),
            answer=unpack(answer, **size),
            shown=unpack(shown, **size),
            at=float(at),
            is_left=bool(is_left),
        )
    except (MfpError, ValueError) as error:
        _log.warning("an answer is not remembered: %s", error)
        return None
