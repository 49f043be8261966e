"""A fine-tuning job as it is in the queue."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Row, func, select

from backend.storage.tables import jobs

OPEN_STATES = ("queued", "running")
ENDED_STATES = ("promoted", "kept", "failed", "cancelled")


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
        worker: Who runs it; empty for nobody so far.
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
    worker: str


JOB = select(
    *(jobs.c[field.name] for field in fields(Job) if field.name != "worker"),
    func.coalesce(jobs.c.worker, "").label("worker"),
)


def job_of(row: Row[*tuple[Any, ...]]) -> Job:
    """Return the job of a row that `JOB` selects."""
    return Job(**row._mapping)
