"""What the page was answered, so that the next request is understood before the page has saved.

Label Studio's page saves a draft five seconds after a change, and tells nothing of what became of
an answer until then. So each object's last answer is remembered for an hour, with the prompts that
led to it, in a file that all workers share and that outlives them.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Delete, bindparam, delete, or_, select, update

from backend.label_studio.page import storable
from backend.label_studio.region_request import PlacedPrompt, RegionRequest
from backend.label_studio.request import TaskRequest
from backend.storage.database import AnyRow, Database
from backend.storage.kept import Kept, kept_file
from backend.storage.packed_runs import pack, unpack
from backend.storage.tables import REGIONS, answered_objects
from mfp_model.errors import MfpError
from mfp_model.finding.alike import MAX_ALIKE
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Box, Click

_log = logging.getLogger(__name__)
_KEPT_S = 3600.0
WAITING_S = 600.0  # of what waits for its check
_MAX_OF_TASK = 32 + MAX_ALIKE  # the newest; older ones are on the page as it saved them
_MAX_ROWS = 50_000
_FAILURE = "what the page was answered is not known"
_IS_OF_TASK = answered_objects.c.task == bindparam("of_task")
_IS_IN_PLACE = answered_objects.c.place == bindparam("in_place")
_FIELDS = (
    *("annotation", "regions", "labels", "placed", "alike_to", "stamp", "is_new", "is_left"),
    *("prior", "answer", "shown", "at"),
)
_NEWEST = (
    select(*(answered_objects.c[field] for field in _FIELDS))
    .where(
        *(_IS_OF_TASK, _IS_IN_PLACE, answered_objects.c.at > bindparam("since")),
        or_(
            answered_objects.c.alike_to == "[]", answered_objects.c.at > bindparam("waiting_since")
        ),
    )
    .order_by(answered_objects.c.at.desc(), answered_objects.c.number.desc())
    .limit(_MAX_OF_TASK)
)
_TOO_MANY = (
    select(answered_objects.c.number)
    .order_by(answered_objects.c.number.desc())
    .offset(_MAX_ROWS)
    .limit(1)
    .scalar_subquery()
)
_FORGET = delete(answered_objects).where(
    *(_IS_OF_TASK, _IS_IN_PLACE, answered_objects.c.annotation == bindparam("in_annotation")),
    answered_objects.c.object == bindparam("which"),
)
_LEAVE = (
    update(answered_objects)
    .where(_IS_OF_TASK, answered_objects.c.is_left == 0)
    .values(is_left=1)
)


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

    def __init__(
        self, database: Database | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Keep them in a database; None keeps all in memory, for one process."""
        self.clock = clock
        self._kept = Kept(database or kept_file(None, REGIONS, failure=_FAILURE), failure=_FAILURE)
        self._guard = threading.Lock()
        self._number = 0
        row = self._kept.database.insert(answered_objects)
        keys = answered_objects.primary_key.columns
        newer = {
            column.name: row.excluded[column.name]
            for column in answered_objects.columns
            if column.name not in keys
        }
        self._upsert = row.on_conflict_do_update(index_elements=list(keys), set_=newer)

    def of(self, task: TaskRequest, region: RegionRequest) -> list[AnsweredObject]:
        """Return the newest objects of a task's image and control, oldest first.

        What was found by all like this is a mask like any other once it is saved.
        """
        now = self.clock()
        rows = self._kept.read(
            _NEWEST,
            of_task=_name(task),
            in_place=_place(task, region),
            since=now - _KEPT_S,
            waiting_since=now - WAITING_S,
        )
        size = {"height": region.height, "width": region.width}
        objects = (_object(row, **size) for row in reversed(rows))
        return [one for one in objects if one is not None]

    def remember(
        self, task: TaskRequest, region: RegionRequest, answered: Sequence[AnsweredObject]
    ) -> None:
        """Keep the objects of an answer, each in the place of its last one."""
        where = {"task": _name(task), "place": _place(task, region)}
        rows = [{**where, **_row(one), "number": self._next_number()} for one in answered]
        if rows:
            self._kept.write(self._upsert, rows, trim=self._old)

    def forget(
        self, task: TaskRequest, region: RegionRequest, answered: Sequence[AnsweredObject]
    ) -> None:
        """Drop objects that another answer has replaced."""
        where = {"of_task": _name(task), "in_place": _place(task, region)}
        rows = [
            {**where, "in_annotation": one.annotation, "which": one.regions[0]} for one in answered
        ]
        if rows:
            self._kept.write(_FORGET, rows)

    def leave(self, task: TaskRequest) -> None:
        """Note that a task was opened, which ends what was on the page and not saved."""
        self._kept.write(_LEAVE, [{"of_task": _name(task)}])

    def _next_number(self) -> int:
        """A larger one for each row; the clock's, so that workers agree about their order."""
        with self._guard:
            self._number = max(self._number + 1, time.time_ns())
            return self._number

    def _old(self) -> list[Delete]:
        return [
            delete(answered_objects).where(answered_objects.c.at < self.clock() - _KEPT_S),
            delete(answered_objects).where(answered_objects.c.number <= _TOO_MANY),
        ]


def _name(task: TaskRequest) -> str:
    return storable(f"{task.project}/{task.task_id}")


def _place(task: TaskRequest, region: RegionRequest) -> str:
    """The control, the image and its size."""
    control = region.control
    page = "" if task.image_index is None else task.image_index
    return storable(f"{region.width}x{region.height} {page} {control.to_name} {control.name}")


def _row(answered: AnsweredObject) -> dict[str, object]:
    """A row without task, place and number."""
    return {
        "annotation": storable(answered.annotation),
        "object": answered.regions[0],
        "regions": json.dumps(answered.regions),
        "labels": json.dumps(answered.labels),
        "placed": json.dumps([_packed(one) for one in answered.placed]),
        "alike_to": json.dumps(sorted(answered.alike_to)),
        "stamp": storable(answered.stamp),
        "is_new": int(answered.is_new),
        "is_left": int(answered.is_left),
        "prior": None if answered.prior is None else pack(answered.prior),
        "answer": pack(answered.answer),
        "shown": pack(answered.shown),
        "at": answered.at,
    }


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


def _object(row: AnyRow, *, height: int, width: int) -> AnsweredObject | None:
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
