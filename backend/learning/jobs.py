"""The queue of fine-tuning jobs: it outlives the server, and several workers may take from it.

A job that runs belongs to the worker that began it, as long as that one is heard of. Each project
has one running job at most, and one that waits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Update,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from backend.label_studio.points import RequestError
from backend.learning.job_rows import ENDED_STATES, JOB, OPEN_STATES, Job, job_of
from backend.storage.database import Database
from backend.storage.errors import StorageError
from backend.storage.letters import storable_text
from backend.storage.tables import changed, jobs, projects
from mfp_model.errors import MfpError

LEASE_S = 60.0  # a worker that was not heard of for so long has lost its job
_log = logging.getLogger(__name__)
_MAX_NOTED = 10_000
_MAX_QUEUED = 200
_LOCK = "jobs"  # of what must not happen twice at a time


class LostJobError(MfpError):
    """A job that another worker runs by now."""


_BY_ID = JOB.where(jobs.c.id == bindparam("job"))
_WAITING = JOB.where(jobs.c.project == bindparam("project"), jobs.c.state == "queued")
_OPEN = select(jobs.c.id, jobs.c.project, jobs.c.state, jobs.c.worker, jobs.c.seen).where(
    jobs.c.state.in_(OPEN_STATES)
)
_MINE = update(jobs).where(
    jobs.c.id == bindparam("job"),
    or_(jobs.c.worker == bindparam("owner"), bindparam("owner") == ""),
)


class JobQueue:
    """The queue; every process has its own object on the same database."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._noted: set[str] = set()

    def know(self, *asking: str) -> bool:
        """Note projects that asked for a model: only theirs are fine-tuned.

        Each is written once; a database that is locked just now is written to the next time.

        Returns:
            Whether they are written.
        """
        new = {name for name in asking if name.isascii() and name.isdecimal()} - self._noted
        if not new:
            return True
        statement = self._database.insert(projects).on_conflict_do_nothing()
        try:
            with self._database.using() as connection:
                connection.execute(statement, [{"project": name[:40]} for name in sorted(new)])
            self._noted |= new if len(self._noted) < _MAX_NOTED else set()
        except StorageError as error:
            _log.warning("projects that are connected cannot be noted: %s", error)
            return False
        return True

    def knows(self, project: str) -> bool:
        """Return whether a project asked for a model once."""
        query = select(projects.c.project).where(projects.c.project == project)
        with self._database.using() as connection:
            return connection.execute(query).first() is not None

    def n_projects(self) -> int:
        """Return how many projects asked for a model."""
        with self._database.using() as connection:
            return connection.execute(select(func.count()).select_from(projects)).scalar_one()

    def enqueue(self, project: str) -> Job:
        """Return a job of the project that waits: a new one unless one waits already.

        Raises:
            RequestError: Too many wait.
        """
        with self._database.changing(_LOCK) as connection:
            waiting = connection.execute(_WAITING, {"project": project}).first()
            if waiting is None:
                count = select(func.count()).where(jobs.c.state == "queued")
                if connection.execute(count).scalar_one() >= _MAX_QUEUED:
                    raise RequestError(f"{_MAX_QUEUED} fine-tunings wait already")
                new = {"step": "", "share": 0, "message": "", "version": "", "tries": 0}
                new |= {"project": project, "state": "queued", "created": self._clock()}
                connection.execute(insert(jobs).values(new))
                waiting = connection.execute(_WAITING, {"project": project}).one()
            connection.execute(delete(changed).where(changed.c.project == project))
            return job_of(waiting)

    def note_change(self, project: str, annotation: str) -> int:
        """Return how many annotations of a project changed since its last job, this one too."""
        statement = self._database.insert(changed).on_conflict_do_nothing()
        count = select(func.count()).where(changed.c.project == project)
        with self._database.changing() as connection:
            connection.execute(statement, {"project": project, "annotation": annotation})
            return int(connection.execute(count).scalar_one())

    def begin(
        self, worker: str, *, is_gone: Callable[[str], bool] = lambda worker: False
    ) -> Job | None:
        """Return the next job, marked as the worker's: one that was cut before those that wait.

        Args:
            worker: Whose it is from now on.
            is_gone: Whether another worker is known to have ended.
        """
        with self._database.changing(_LOCK) as connection:
            number = self._next(connection, is_gone)
            if number is None:
                return None
            now = self._clock()
            connection.execute(
                update(jobs)
                .where(jobs.c.id == number)
                .values(
                    state="running",
                    tries=jobs.c.tries + 1,
                    started=func.coalesce(jobs.c.started, now),
                    worker=worker,
                    seen=now,
                )
            )
            return job_of(connection.execute(_BY_ID, {"job": number}).one())

    def _next(self, connection: Connection, is_gone: Callable[[str], bool]) -> int | None:
        """The number of the next job: no project has two that run."""
        rows = connection.execute(_OPEN.order_by(jobs.c.id)).fetchall()
        running = [row for row in rows if row.state == "running"]
        oldest = self._clock() - LEASE_S
        for row in running:
            if not row.worker or row.seen is None or row.seen < oldest or is_gone(row.worker):
                return int(row.id)
        busy = {row.project for row in running}
        waiting = (row.id for row in rows if row.state == "queued" and row.project not in busy)
        return next(waiting, None)

    def hear(self, job: int, worker: str) -> bool:
        """Note that a worker still runs its job, and return whether it is its job."""
        values = {"seen": self._clock()}
        return self._change(_MINE.where(jobs.c.state == "running"), job, worker, values)

    def tell(self, job: int, *, step: str, share: float, worker: str = "") -> None:
        """Note a running job's progress.

        Args:
            job: Its number.
            step: What it is doing.
            share: The share that is done.
            worker: Who runs it; empty for whoever does.

        Raises:
            LostJobError: Another worker runs it by now.
        """
        self._change_mine(job, worker, {"step": step, "share": share})

    def end(
        self, job: int, state: str, message: str, *, version: str = "", worker: str = ""
    ) -> None:
        """Note how a job ended; arguments and errors as of `tell`."""
        assert state in ENDED_STATES
        values = {"state": state, "message": storable_text(message), "version": version}
        self._change_mine(job, worker, {**values, "finished": self._clock()})

    def give_back(self, job: int, *, worker: str = "") -> None:
        """Note that a running job was stopped with the server, which is no failed try."""
        values = {"tries": jobs.c.tries - 1, "seen": None}
        self._change(_MINE.where(jobs.c.state == "running"), job, worker, values)

    def release(self, job: int, *, worker: str = "") -> None:
        """Note that a running job's process has ended without an end: anybody may go on."""
        self._change(_MINE.where(jobs.c.state == "running"), job, worker, {"seen": None})

    def cancel(self, job: int) -> None:
        """Cancel a job: at once if it waits, at its next step if it runs."""
        waits = jobs.c.state == "queued"
        values = {
            "is_cancelled": 1,
            "finished": case((waits, self._clock()), else_=jobs.c.finished),
            "state": case((waits, "cancelled"), else_=jobs.c.state),
        }
        self._change(_MINE.where(jobs.c.state.in_(OPEN_STATES)), job, "", values)

    def is_cancelled(self, job: int) -> bool:
        """Return whether somebody cancelled the job."""
        with self._database.using() as connection:
            query = select(jobs.c.is_cancelled).where(jobs.c.id == job)
            return bool(connection.execute(query).scalar())

    def job(self, job: int) -> Job | None:
        """Return a job by its number."""
        return next(iter(self._read(_BY_ID, job=job)), None)

    def newest(self, n: int) -> list[Job]:
        """Return the newest jobs, newest first."""
        return self._read(JOB.order_by(jobs.c.id.desc()).limit(n))

    def n_by_state(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        query = select(jobs.c.state, func.count()).group_by(jobs.c.state)
        with self._database.using() as connection:
            counts = {state: int(n) for state, n in connection.execute(query)}
        return {state: counts.get(state, 0) for state in (*OPEN_STATES, *ENDED_STATES)}

    def _read(self, query: Select[Any], **values: object) -> list[Job]:
        with self._database.using() as connection:
            return [job_of(row) for row in connection.execute(query, values)]

    def _change_mine(self, job: int, worker: str, values: Mapping[str, Any]) -> None:
        if not self._change(_MINE, job, worker, values):
            raise LostJobError(f"job {job} goes on at another worker")

    def _change(self, statement: Update, job: int, worker: str, values: Mapping[str, Any]) -> bool:
        with self._database.using() as connection:
            done = connection.execute(statement.values(dict(values)), {"job": job, "owner": worker})
            return bool(done.rowcount)
