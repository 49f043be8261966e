"""What the page was answered, so that the next request is understood before the page has saved.

Label Studio's page saves a draft five seconds after a change, and tells nothing of what became of
an answer until then. So each object's last answer is remembered for an hour, with the prompts that
led to it, in a file that all workers share and that outlives them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Delete, bindparam, delete, or_, select, update

from backend.answering.answered_object import FIELDS, AnsweredObject, object_of, row_of
from backend.label_studio.page import storable
from backend.label_studio.region_request import RegionRequest
from backend.label_studio.request import TaskRequest
from backend.storage.bounded_cache import BoundedCache
from backend.storage.database import Database
from backend.storage.kept import Kept, kept_file
from backend.storage.packed_runs import unpack
from backend.storage.tables import REGIONS, answered_objects
from mfp_model.finding.alike import MAX_ALIKE
from mfp_model.masks.runs import MaskRuns

_KEPT_S = 3600.0
WAITING_S = 600.0  # of what waits for its check
_MAX_OF_TASK = 32 + MAX_ALIKE  # the newest; older ones are on the page as it saved them
_MAX_ROWS = 50_000
_MASKS_BYTES = 16_000_000  # of masks that a process keeps unpacked
_FAILURE = "what the page was answered is not known"
_IS_OF_TASK = answered_objects.c.task == bindparam("of_task")
_IS_IN_PLACE = answered_objects.c.place == bindparam("in_place")
_NEWEST = (
    select(*(answered_objects.c[field] for field in FIELDS))
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
    update(answered_objects).where(_IS_OF_TASK, answered_objects.c.is_left == 0).values(is_left=1)
)


class AnsweredObjects:
    """Remembers them; any thread may use it."""

    def __init__(
        self, database: Database | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Keep them in a database; None keeps all in memory, for one process."""
        self.clock = clock
        self._kept = Kept(database or kept_file(None, REGIONS, failure=_FAILURE), failure=_FAILURE)
        self._guard = threading.Lock()
        self._masks: BoundedCache[tuple[bytes, int, int], MaskRuns] = BoundedCache(
            max_bytes=_MASKS_BYTES, max_age_s=_KEPT_S
        )
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
        unpack_mask = partial(self._unpacked, height=region.height, width=region.width)
        objects = (object_of(row, unpack_mask) for row in reversed(rows))
        return [answered_object for answered_object in objects if answered_object is not None]

    def remember(
        self, task: TaskRequest, region: RegionRequest, answered: Sequence[AnsweredObject]
    ) -> None:
        """Keep the objects of an answer, each in the place of its last one."""
        where = {"task": _name(task), "place": _place(task, region)}
        rows = [
            {**where, **row_of(answered_object), "number": self._next_number()}
            for answered_object in answered
        ]
        self._kept.write(self._upsert, rows, trim=self._old)

    def forget(
        self, task: TaskRequest, region: RegionRequest, answered: Sequence[AnsweredObject]
    ) -> None:
        """Drop objects that another answer has replaced."""
        where = {"of_task": _name(task), "in_place": _place(task, region)}
        rows = [
            {
                **where,
                "in_annotation": answered_object.annotation,
                "which": answered_object.regions[0],
            }
            for answered_object in answered
        ]
        self._kept.write(_FORGET, rows)

    def leave(self, task: TaskRequest) -> None:
        """Note that a task was opened, which ends what was on the page and not saved."""
        self._kept.write(_LEAVE, [{"of_task": _name(task)}])

    def _unpacked(self, packed: bytes, *, height: int, width: int) -> MaskRuns:
        """A mask; most are asked for again with the next click."""
        key = (packed, height, width)
        mask = self._masks.get(key)
        if mask is None:
            mask = unpack(packed, height=height, width=width)
            self._masks.put(key, mask, mask.n_bytes + len(packed))
        return mask

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
