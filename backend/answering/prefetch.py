"""Images and masks of tasks that are opened, read before their first click."""

from __future__ import annotations

import logging
import threading
from contextvars import copy_context

from backend.answering.edits import Edits
from backend.background import BackgroundThreads
from backend.images.loader import ImageLoader
from backend.label_studio.request import TaskRequest
from backend.monitoring.telemetry import Telemetry

_log = logging.getLogger(__name__)
_MAX_PREFETCHES = 32


class Prefetcher:
    """Reads them, one task at a time."""

    def __init__(self, images: ImageLoader, edits: Edits, telemetry: Telemetry) -> None:
        self._images = images
        self._edits = edits
        self._telemetry = telemetry
        self._prefetcher = BackgroundThreads(1, name="prefetch")
        self._places = threading.BoundedSemaphore(_MAX_PREFETCHES)

    def prefetch(self, task: TaskRequest) -> None:
        """Fetch and decode a task's image and masks in the background; a full queue skips it."""
        if not self._places.acquire(blocking=False):
            _log.info("prefetch of task %s skipped: %d are waiting", task.task_id, _MAX_PREFETCHES)
            return
        self._prefetcher.submit(copy_context().run, self._load_quietly, task)

    def _load_quietly(self, task: TaskRequest) -> None:
        try:
            pixels = self._images.load(task.image, task_id=task.task_id).pixels
            self._edits.prepare(task, height=pixels.shape[0], width=pixels.shape[1])
        except Exception as error:  # nobody else would see it in this thread
            self._telemetry.failed(error, during=f"fetching the image of task {task.task_id}")
        finally:
            self._places.release()
