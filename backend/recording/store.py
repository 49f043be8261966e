"""The file that click sequences are recorded in: append-only, bounded, without image content.

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
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from backend.storage.database import open_database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS masks (key TEXT PRIMARY KEY, packed BLOB);
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY, at REAL, project TEXT, task TEXT, image TEXT, width INTEGER,
    height INTEGER, label TEXT, version TEXT, points TEXT, clicks TEXT, regions TEXT,
    prior TEXT, answer TEXT);
CREATE INDEX IF NOT EXISTS answers_task ON answers (project, task);
CREATE TABLE IF NOT EXISTS saves (
    id INTEGER PRIMARY KEY, at REAL, project TEXT, task TEXT, annotation TEXT, action TEXT);
CREATE TABLE IF NOT EXISTS finals (save INTEGER, region TEXT, label TEXT, mask TEXT);
CREATE INDEX IF NOT EXISTS finals_save ON finals (save);
"""
_INSERT_ANSWER = """
INSERT INTO answers (at, project, task, image, width, height, label, version, points, clicks,
    regions, prior, answer)
VALUES (:at, :project, :task, :image, :width, :height, :label, :version, :points, :clicks,
    :regions, :prior, :answer)
"""
_ANSWERS = """
SELECT at, project, task, image, width, height, label, version, points, clicks, regions,
    (SELECT packed FROM masks WHERE key = prior), (SELECT packed FROM masks WHERE key = answer)
FROM answers WHERE ? IN ('', project) ORDER BY id
"""
_FINALS = """
SELECT saves.project, saves.task, finals.region, finals.label,
    (SELECT packed FROM masks WHERE key = finals.mask)
FROM finals JOIN saves ON saves.id = finals.save
WHERE ? IN ('', saves.project) AND saves.id IN (SELECT MAX(id) FROM saves GROUP BY annotation)
ORDER BY finals.rowid
"""
_SUBMISSIONS = """
SELECT saves.project, saves.task, finals.region, saves.at
FROM finals JOIN saves ON saves.id = finals.save
WHERE ? IN ('', saves.project) ORDER BY saves.id
"""
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
    region: str
    label: str | None
    mask: bytes | None


class SessionStore:
    """The file; every process and thread has an object of its own."""

    def __init__(
        self, path: Path, *, max_bytes: float, clock: Callable[[], float] = time.time
    ) -> None:
        """Open the file, or make it.

        Args:
            path: The file.
            max_bytes: Its size; beyond it the oldest go.
            clock: Seconds since 1970.

        Raises:
            sqlite3.Error: It cannot be written.
        """
        self._max_bytes = max_bytes
        self._clock = clock
        self._n_written = 0
        self._database = open_database(self, path, _SCHEMA, synchronous="NORMAL")

    def add_answer(self, row: AnswerRow) -> None:
        """Append an answer."""
        values = {field.name: getattr(row, field.name) for field in fields(row)}
        values |= {name: json.dumps(values[name]) for name in ("points", "clicks", "regions")}
        with self._transaction():
            values |= {name: self._mask(values[name]) for name in ("prior", "answer")}
            self._database.execute(_INSERT_ANSWER, values)
        self._count()

    def answered(self, project: str, task: str) -> set[str]:
        """Return the ids of the regions that were answered on a task."""
        rows = self._database.execute(
            "SELECT DISTINCT value FROM answers, json_each(regions) WHERE project = ? AND task = ?",
            (project, task),
        )
        return {str(row[0]) for row in rows}

    def add_save(
        self,
        project: str,
        task: str,
        annotation: str,
        action: str,
        finals: list[tuple[str, str | None, bytes]],
    ) -> None:
        """Append a saved annotation, and the region, label and packed mask of what is in it."""
        with self._transaction():
            save = self._database.execute(
                "INSERT INTO saves (at, project, task, annotation, action) VALUES (?, ?, ?, ?, ?)",
                (self._clock(), project, task, annotation, action),
            ).lastrowid
            self._database.executemany(
                "INSERT INTO finals VALUES (?, ?, ?, ?)",
                [(save, region, label, self._mask(mask)) for region, label, mask in finals],
            )
        self._count()

    def answers(self, project: str) -> Iterator[AnswerRow]:
        """Yield the answers of a project, oldest first; of all projects for an empty id."""
        names = [field.name for field in fields(AnswerRow)]
        for row in self._database.execute(_ANSWERS, (project,)):
            values = dict(zip(names, row, strict=True))
            values |= {name: json.loads(values[name]) for name in ("points", "clicks", "regions")}
            yield AnswerRow(**values)

    def finals(self, project: str) -> Iterator[FinalRow]:
        """Yield what was last saved of each annotation, in the order that it was saved."""
        names = [field.name for field in fields(FinalRow)]
        for row in self._database.execute(_FINALS, (project,)):
            yield FinalRow(**dict(zip(names, row, strict=True)))

    def submissions(self, project: str) -> dict[tuple[str, ...], list[float]]:
        """Return when annotations were submitted, ascending, by project, task and region in them.

        Args:
            project: Label Studio's project id; all projects for an empty one.
        """
        times: dict[tuple[str, ...], list[float]] = {}
        for *key, at in self._database.execute(_SUBMISSIONS, (project,)):
            times.setdefault(tuple(key), []).append(float(at))
        return times

    def _mask(self, packed: bytes | None) -> str | None:
        if packed is None:
            return None
        key = hashlib.sha256(packed).hexdigest()
        self._database.execute("INSERT OR IGNORE INTO masks VALUES (?, ?)", (key, packed))
        return key

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _count(self) -> None:
        self._n_written += 1
        if self._n_written % _LOOK_EVERY == 1:
            self.trim()

    def trim(self) -> None:
        """Drop the oldest rows until the file has room; its space is used again."""
        while self._n_bytes() > self._max_bytes:
            n_rows = self._database.execute("SELECT COUNT(*) FROM answers").fetchone()[0]
            if n_rows == 0:
                return
            with self._transaction():
                cut = self._database.execute(
                    "SELECT at FROM answers ORDER BY at LIMIT 1 OFFSET ?",
                    (int(n_rows * _DROPPED_SHARE),),
                ).fetchone()[0]
                for statement in (
                    "DELETE FROM answers WHERE at <= ?",
                    "DELETE FROM saves WHERE at <= ?",
                ):
                    self._database.execute(statement, (cut,))
                self._database.execute(
                    "DELETE FROM finals WHERE save NOT IN (SELECT id FROM saves)"
                )
                self._database.execute(
                    "DELETE FROM masks WHERE key NOT IN (SELECT prior FROM answers WHERE prior "
                    "NOT NULL UNION SELECT answer FROM answers UNION SELECT mask FROM finals)"
                )

    def _n_bytes(self) -> int:
        """Bytes in use."""
        pragmas = {
            name: int(self._database.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        }
        return (pragmas["page_count"] - pragmas["freelist_count"]) * pragmas["page_size"]
