"""What is not known of a task's page, told on the status page."""

from __future__ import annotations

from backend.label_studio.access import LabelStudioError
from backend.label_studio.request import TaskRequest
from backend.monitoring.telemetry import Telemetry
from backend.storage.bounded_cache import BoundedCache

_AGAIN_S = 600.0  # a doubt that stays is told again after this time
_NOTED_BYTES = 100_000


class Doubts:
    """Tells of each doubt about a project once in a while, and not at every click."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._noted: BoundedCache[str, str] = BoundedCache(
            max_bytes=_NOTED_BYTES, max_age_s=_AGAIN_S
        )

    def note(self, task: TaskRequest) -> None:
        """Tell of a clicked task's doubt, if it has one."""
        if not task.doubt or self._noted.get(task.project) == task.doubt:
            return
        self._noted.put(task.project, task.doubt, len(task.project) + len(task.doubt))
        error = LabelStudioError(
            f"project {task.project[:20]}: it is not "
            f"known {task.doubt}. Masks that were there before are not edited or kept clear of "
            "until the page has saved a draft."
        )
        self._telemetry.failed(error, during=f"task {task.task_id[:20]}")
