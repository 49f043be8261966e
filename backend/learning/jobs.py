"""The queue of fine-tuning jobs, on disk: it outlives the server."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.label_studio.points import RequestError
from backend.storage.database import SharedFile

_log = logging.getLogger(__name__)
_MAX_KNOWN = 10_000
_MAX_QUEUED = 200
OPEN_STATES = ("queued", "running")
ENDED_STATES = ("promoted", "kept", "failed", "cancelled")
_COLUMNS = "id, project, state, step, share, message, version, created, started, finished, tries"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT, state TEXT, step TEXT, share REAL,
    message TEXT, version TEXT, created REAL, started REAL, finished REAL, tries INTEGER,
    is_cancelled INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS changed
    (project TEXT, annotation TEXT, PRIMARY KEY (project, annotation));
CREATE TABLE IF NOT EXISTS projects (project TEXT PRIMARY KEY);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A fine-tuning for a project.

    Attributes:
        id: Its number.
        project: Label Studio's project id.
        state: `queued`, `running`, and in the end `promoted`, `kept` (not better, so not
            served), `failed` or `cancelled`.
        step: What it is doing.
        share: The share that is done.
        message: Why it ended as it did.
        version: The candidate's model version, empty before there is one.
        created: Unix time.
        started: Unix time or None.
        finished: Unix time or None.
        tries: How often it was begun: after a kill it goes on.
    """

    id: int
    project: str
    state: str
    step: str
    share: float
    message: str
    version: str
    created: float
    started: float | None
    finished: float | None
    tries: int


class JobQueue:
    """The queue; every process has its own object on the same file."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Open the queue, or make it.

        Raises:
            sqlite3.Error: The file cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._known: set[str] = set()
        self._file = SharedFile(path, _SCHEMA, synchronous="FULL")

    def know(self, *projects: str) -> bool:
        """Note projects that asked for a model: only theirs are fine-tuned.

        Each is written once; a file that is locked just now is written to the next time.

        Returns:
            Whether they are written.
        """
        new = {one for one in projects if one.isascii() and one.isdecimal()} - self._known
        if not new:
            return True
        try:
            with self._file.using() as database:
                database.executemany(
                    "INSERT OR IGNORE INTO projects VALUES (?)", [(one[:40],) for one in new]
                )
            self._known |= new if len(self._known) < _MAX_KNOWN else set()
        except sqlite3.Error as error:
            _log.warning("projects that are connected cannot be noted: %s", error)
            return False
        return True

    def knows(self, project: str) -> bool:
        """Return whether a project asked for a model once."""
        with self._file.using() as database:
            rows = database.execute("SELECT 1 FROM projects WHERE project = ?", (project,))
            return rows.fetchone() is not None

    def n_known(self) -> int:
        """Return how many projects asked for a model."""
        with self._file.using() as database:
            return int(database.execute("SELECT COUNT(*) FROM projects").fetchone()[0])

    def enqueue(self, project: str) -> Job:
        """Return a job of the project that waits: a new one unless one waits already.

        Raises:
            RequestError: Too many wait.
        """
        with self._file.using() as database, database:
            database.execute("BEGIN IMMEDIATE")
            known = _select(database, "WHERE project = ? AND state = 'queued'", project)
            if not known:
                waiting = database.execute("SELECT COUNT(*) FROM jobs WHERE state = 'queued'")
                if waiting.fetchone()[0] >= _MAX_QUEUED:
                    raise RequestError(f"{_MAX_QUEUED} fine-tunings wait already")
                database.execute(
                    "INSERT INTO jobs"
                    " (project, state, step, share, message, version, created, tries)"
                    " VALUES (?, 'queued', '', 0, '', '', ?, 0)",
                    (project, self._clock()),
                )
                known = _select(database, "WHERE id = last_insert_rowid()")
            database.execute("DELETE FROM changed WHERE project = ?", (project,))
            return known[0]

    def note_change(self, project: str, annotation: str) -> int:
        """Return how many annotations of a project changed since its last job, this one too."""
        with self._file.using() as database, database:
            database.execute("INSERT OR IGNORE INTO changed VALUES (?, ?)", (project, annotation))
            rows = database.execute("SELECT COUNT(*) FROM changed WHERE project = ?", (project,))
            return int(rows.fetchone()[0])

    def begin(self) -> Job | None:
        """Return the next job, marked as running: one that was cut before those that wait."""
        with self._file.using() as database, database:
            database.execute("BEGIN IMMEDIATE")
            found = [
                job
                for state in ("running", "queued")
                for job in _select(database, "WHERE state = ? ORDER BY id LIMIT 1", state)
            ]
            if not found:
                return None
            database.execute(
                "UPDATE jobs SET state = 'running', tries = tries + 1,"
                " started = COALESCE(started, ?) WHERE id = ?",
                (self._clock(), found[0].id),
            )
            return _select(database, "WHERE id = ?", found[0].id)[0]

    def tell(self, job: int, *, step: str, share: float) -> None:
        """Note a running job's progress."""
        self._write("UPDATE jobs SET step = ?, share = ? WHERE id = ?", step, share, job)

    def end(self, job: int, state: str, message: str, *, version: str = "") -> None:
        """Note how a job ended."""
        assert state in ENDED_STATES
        self._write(
            "UPDATE jobs SET state = ?, message = ?, version = ?, finished = ? WHERE id = ?",
            state,
            message,
            version,
            self._clock(),
            job,
        )

    def give_back(self, job: int) -> None:
        """Note that a running job was stopped with the server, which is no failed try."""
        self._write("UPDATE jobs SET tries = tries - 1 WHERE id = ? AND state = 'running'", job)

    def cancel(self, job: int) -> None:
        """Cancel a job: at once if it waits, at its next step if it runs."""
        self._write(
            "UPDATE jobs SET is_cancelled = 1,"
            " finished = CASE state WHEN 'queued' THEN ? ELSE finished END,"
            " state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END"
            " WHERE id = ? AND state IN ('queued', 'running')",
            self._clock(),
            job,
        )

    def is_cancelled(self, job: int) -> bool:
        """Return whether somebody cancelled the job."""
        with self._file.using() as database:
            rows = database.execute("SELECT is_cancelled FROM jobs WHERE id = ?", (job,))
            row = rows.fetchone()
        return bool(row and row[0])

    def job(self, job: int) -> Job | None:
        """Return a job by its number."""
        with self._file.using() as database:
            return next(iter(_select(database, "WHERE id = ?", job)), None)

    def newest(self, n: int) -> list[Job]:
        """Return the newest jobs, newest first."""
        with self._file.using() as database:
            return _select(database, "ORDER BY id DESC LIMIT ?", n)

    def n_by_state(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        with self._file.using() as database:
            rows = database.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state")
            found = dict(rows.fetchall())
        return {state: int(found.get(state, 0)) for state in (*OPEN_STATES, *ENDED_STATES)}

    def _write(self, statement: str, *values: Any) -> None:  # noqa: ANN401, what SQLite takes
        with self._file.using() as database:
            database.execute(statement, values)


def _select(database: sqlite3.Connection, rest: str, *values: object) -> list[Job]:
    rows = database.execute(f"SELECT {_COLUMNS} FROM jobs {rest}", values)
    names = _COLUMNS.split(", ")
    return [Job(**dict(zip(names, row, strict=True))) for row in rows]
