"""Where click sequences are recorded: append-only, bounded, without image content.

An `answer` is one answered request: the clicks so far, the mask before them and the one answered.
A `save` is one annotation as Label Studio stored it, and a `final` what became of an answered mask
in it. Masks are kept once each, by their content. No name, address or content of a person or an
image is written, but where the image is.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import bindparam, delete, except_, func, insert, select, union_all

from backend.storage.database import SOME_ROWS, Database
from backend.storage.tables import answers, finals, masks, saves

_PRIORS, _ANSWERED = masks.alias("priors"), masks.alias("answered")
_ANSWERS = (
    select(
        *(answers.c[field] for field in ("at", "project", "task", "image", "width", "height")),
        *(answers.c[field] for field in ("label", "version", "points", "clicks", "regions")),
        _PRIORS.c.packed.label("prior"),
        _ANSWERED.c.packed.label("answer"),
    )
    .outerjoin(_PRIORS, _PRIORS.c.key == answers.c.prior)
    .outerjoin(_ANSWERED, _ANSWERED.c.key == answers.c.answer)
    .order_by(answers.c.at, answers.c.id)
)
_FINALS = (
    select(
        *(saves.c.project, saves.c.task, saves.c.annotation, finals.c.region, finals.c.label),
        masks.c.packed.label("mask"),
    )
    .join(saves, saves.c.id == finals.c.save)
    .outerjoin(masks, masks.c.key == finals.c.mask)
    .where(saves.c.id.in_(select(func.max(saves.c.id)).group_by(saves.c.annotation)))
    .order_by(finals.c.id)
)
_SUBMISSIONS = (
    select(saves.c.project, saves.c.task, finals.c.region, saves.c.at)
    .join(saves, saves.c.id == finals.c.save)
    .order_by(saves.c.id)
)
_REGIONS = (
    select(answers.c.regions)
    .distinct()
    .where(answers.c.project == bindparam("project"), answers.c.task == bindparam("task"))
)
_ADD_ANSWER = insert(answers)
# What nothing refers to; `except_` is one pass over each table where `not_in` may be many.
_WITHOUT_SAVE = except_(select(finals.c.save), select(saves.c.id))
_UNUSED = except_(
    select(masks.c.key),
    *(select(column) for column in (answers.c.prior, answers.c.answer, finals.c.mask)),
)
_AGES = union_all(select(answers.c.at), select(saves.c.at)).subquery()
_LISTS = ("points", "clicks", "regions")
_MASKS = ("prior", "answer")
_ROW_BYTES = 230  # of a row beside what is long, with its indexes, about
_SIZES = [
    select(func.coalesce(func.sum(_ROW_BYTES + sum(map(func.octet_length, long))), 0)).select_from(
        table
    )
    for table, long in (
        (masks, [masks.c.packed]),
        (answers, [answers.c[name] for name in _LISTS]),
        (saves, []),
        (finals, []),
    )
]
_TRIM_LIMIT_S = 120.0  # of one statement
_LOOK_EVERY = 200  # rows written by one worker
_DROPPED_SHARE = 0.1  # of the rows, oldest first, when the file is too large


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """One answered request.

    Attributes:
        at: Seconds since 1970.
        project: Label Studio's project id.
        task: Label Studio's task id.
        image: Where the image is, see `backend.images.address.public_address`.
        width: Its width in pixels.
        height: Its height in pixels.
        label: What the answer was called, None for nothing.
        version: The model version that answered.
        points: Label Studio's ids of the clicks.
        clicks: x, y in pixels and 1 for "object" or 0, oldest first.
        regions: Label Studio's ids of what was answered.
        prior: The packed mask that the object began with, None for none.
        answer: The packed mask that was answered, None where it was dropped.
    """

    at: float
    project: str
    task: str
    image: str
    width: int
    height: int
    label: str | None
    version: str
    points: Sequence[str]
    clicks: Sequence[tuple[float, float, int]]
    regions: Sequence[str]
    prior: bytes | None
    answer: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalRow:
    """What was saved of an answered region: its ids, its label, and the packed mask."""

    project: str
    task: str
    annotation: str
    region: str
    label: str | None
    mask: bytes | None


class SessionStore:
    """The store; every process has an object of its own."""

    def __init__(
        self, database: Database, *, max_bytes: float, clock: Callable[[], float] = time.time
    ) -> None:
        """Open the store.

        Args:
            database: Where it is.
            max_bytes: Its size; beyond it the oldest go.
            clock: Seconds since 1970.
        """
        self._database = database
        self._max_bytes = max_bytes
        self._clock = clock
        self._n_written = 0
        self._add_mask = database.insert(masks).on_conflict_do_nothing()

    def add_answer(self, row: AnswerRow) -> None:
        """Append an answer.

        Raises:
            StorageError: It cannot be written.
        """
        values = {field.name: getattr(row, field.name) for field in fields(row)}
        values |= {name: json.dumps(values[name]) for name in _LISTS}
        packed = [values[name] for name in _MASKS if values[name] is not None]
        values |= {name: _key(values[name]) for name in _MASKS}
        rows = [{"key": _key(mask), "packed": mask} for mask in packed]
        self._database.write((self._add_mask, rows), (_ADD_ANSWER, [values]))
        self._count()

    def answered(self, project: str, task: str) -> set[str]:
        """Return the ids of the regions that were answered on a task. Raises like `add_answer`."""
        with self._database.using() as connection:
            rows = connection.execute(_REGIONS, {"project": project, "task": task}).fetchall()
        return {str(region) for (regions,) in rows for region in json.loads(regions)}

    def add_save(
        self,
        project: str,
        task: str,
        annotation: str,
        action: str,
        saved: list[tuple[str, str | None, bytes]],
    ) -> None:
        """Append a saved annotation, and the region, label and packed mask of what is in it.

        Raises:
            StorageError: It cannot be written.
        """
        row = {"project": project, "task": task, "annotation": annotation, "action": action}
        with self._database.changing() as connection:
            added = connection.execute(insert(saves), {"at": self._clock(), **row})
            (save,) = added.inserted_primary_key or (None,)
            for region, label, mask in saved:
                key = _key(mask)
                connection.execute(self._add_mask, {"key": key, "packed": mask})
                final = {"save": save, "region": region, "label": label, "mask": key}
                connection.execute(insert(finals), final)
        self._count()

    def answers(self, project: str) -> Iterator[AnswerRow]:
        """Yield the answers of a project, oldest first; of all projects for an empty id."""
        query = _ANSWERS.where(answers.c.project == project) if project else _ANSWERS
        with self._database.reading() as connection:
            for row in connection.execute(query, execution_options=SOME_ROWS):
                values = dict(row._mapping)
                yield AnswerRow(**values | {name: json.loads(values[name]) for name in _LISTS})

    def finals(self, project: str) -> Iterator[FinalRow]:
        """Yield what was last saved of each annotation, in the order that it was saved."""
        query = _FINALS.where(saves.c.project == project) if project else _FINALS
        with self._database.reading() as connection:
            for row in connection.execute(query, execution_options=SOME_ROWS):
                yield FinalRow(**row._mapping)

    def submissions(self, project: str) -> dict[tuple[str, ...], list[float]]:
        """Return when annotations were submitted, ascending, by project, task and region in them.

        Args:
            project: Label Studio's project id; all projects for an empty one.
        """
        query = _SUBMISSIONS.where(saves.c.project == project) if project else _SUBMISSIONS
        times: dict[tuple[str, ...], list[float]] = {}
        with self._database.reading() as connection:
            for *key, at in connection.execute(query, execution_options=SOME_ROWS):
                times.setdefault(tuple(key), []).append(float(at))
        return times

    def _count(self) -> None:
        self._n_written += 1
        if self._n_written % _LOOK_EVERY == 1:
            self.trim()

    def trim(self) -> None:
        """Drop the oldest rows until there is room; their space is used again."""
        while self._n_bytes() > self._max_bytes:
            with self._database.changing("sessions", limit_s=_TRIM_LIMIT_S) as connection:
                n_rows = connection.execute(select(func.count()).select_from(_AGES)).scalar_one()
                if n_rows == 0:
                    return
                ages = select(_AGES.c.at).order_by(_AGES.c.at)
                oldest = ages.limit(1).offset(int(n_rows * _DROPPED_SHARE))
                cut = connection.execute(oldest).scalar_one()
                connection.execute(delete(answers).where(answers.c.at <= cut))
                connection.execute(delete(saves).where(saves.c.at <= cut))
                connection.execute(delete(finals).where(finals.c.save.in_(_WITHOUT_SAVE)))
                connection.execute(delete(masks).where(masks.c.key.in_(_UNUSED)))

    def _n_bytes(self) -> int:
        """Bytes in use; about, where a database holds other things, too."""
        used = self._database.file_bytes()
        if used is not None:
            return used
        with self._database.changing(limit_s=_TRIM_LIMIT_S) as connection:
            return sum(int(connection.execute(size).scalar_one()) for size in _SIZES)


def _key(packed: bytes | None) -> str | None:
    return None if packed is None else hashlib.sha256(packed).hexdigest()
