"""Webhooks -> fine-tuning jobs. Label Studio waits one second, so they are only queued here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from backend.label_studio.points import RequestError
from backend.learning.job_logs import JobLogs
from backend.learning.job_rows import Job
from backend.learning.jobs import JobQueue
from mfp_model.errors import MfpError

_log = logging.getLogger(__name__)
_START = "START_TRAINING"
_CHANGES = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")
_OF_A_PROJECT = (_START, *_CHANGES, "ANNOTATIONS_DELETED")  # which is recorded


class UnknownProjectError(MfpError):
    """A webhook of a project that has never asked for a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a webhook tells: its action, and the ids of project and annotation where it matters."""

    action: str
    project: str
    annotation: str


class Trainer:
    """Queues jobs when somebody asks, or enough has changed."""

    def __init__(self, queue: JobQueue, logs: JobLogs, every: Mapping[str, int]) -> None:
        """Make a trainer.

        Args:
            queue: Where jobs wait.
            logs: Of the jobs.
            every: Changed annotations after which a project is fine-tuned, by project id; `""`
                for all others, 0 for never.
        """
        self.queue = queue
        self.logs = logs
        self._every = every

    def take(self, notice: Notice) -> Job | None:
        """Act on a notice, and return the job that it led to.

        Raises:
            UnknownProjectError: The project has never asked for a model here.
            RequestError: Too many jobs wait.
            StorageError: The queue cannot be written.
        """
        if notice.action not in _OF_A_PROJECT:
            return None
        if not self.queue.knows(notice.project):
            raise UnknownProjectError(
                f"webhook of project {notice.project}: not connected; open its settings in Label "
                "Studio, or one of its tasks"
            )
        if notice.action == _START:
            return self._enqueue(notice.project)
        return self._note(notice.project, notice.annotation) if notice.annotation else None

    def notice(self, body: object) -> Notice:
        """Return what a webhook's body tells.

        Raises:
            RequestError: The body has another form than Label Studio's.
        """
        if not isinstance(body, dict):
            raise RequestError(f"body: expected a JSON object, got {type(body).__name__}")
        action = str(body.get("action"))[:40]
        _log.info("webhook %s", action)
        return Notice(
            action=action,
            project=_id(body, "project") if action in _OF_A_PROJECT else "",
            annotation=_id(body, "annotation") if action in _CHANGES else "",
        )

    def _note(self, project: str, annotation: str) -> Job | None:
        n_changed = self.queue.note_change(project, annotation)
        every = self._every.get(project, self._every.get("", 0))
        _log.info("project %s: annotation %s changed", project, annotation)
        return self._enqueue(project) if every and n_changed >= every else None

    def _enqueue(self, project: str) -> Job:
        job = self.queue.enqueue(project)
        _log.info("project %s: fine-tuning is job %d", project, job.id)
        return job


def _id(body: Mapping[str, object], name: str) -> str:
    entry = body.get(name)
    number = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        raise RequestError(f"{name}.id: expected a number, got {number!r:.40}")
    return str(number)
