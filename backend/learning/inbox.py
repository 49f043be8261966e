"""What is written for fine-tuning waits here, so that a locked database delays no answer.

Label Studio waits one second for a webhook's, and three for that of `/setup`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError

from backend.learning.job_rows import Job
from backend.learning.trainer import Notice
from backend.storage.errors import StorageError
from mfp_model.errors import MfpError

_log = logging.getLogger(__name__)
_MAX_WAITING = 1000
_MAX_ASKED = 10_000
_ANSWER_S = 0.6
_TRY_FOR_S = 600.0
_TRY_EVERY_S = 1.0


class InboxFullError(MfpError):
    """More webhooks wait than are kept."""


class Inbox:
    """One thread acts on notices, in order; what cannot be written now is tried again."""

    def __init__(
        self,
        take: Callable[[Notice], Job | None],
        on_failure: Callable[[Exception], object],
        know: Callable[[str], bool] = lambda project: True,
        *,
        max_waiting: int = _MAX_WAITING,
        try_for_s: float = _TRY_FOR_S,
    ) -> None:
        """Make an empty one.

        Args:
            take: Acts on a notice, and returns the job that it led to.
            on_failure: Told what went wrong after the webhook was answered.
            know: Notes a project that asked for a model; False where it cannot just now.
            max_waiting: Further notices are refused.
            try_for_s: How long a notice is tried again while the database is locked or away.
        """
        self._take = take
        self._on_failure = on_failure
        self._know = know
        self._asked: set[str] = set()  # projects that are noted, or wait for it
        self._places = threading.BoundedSemaphore(max_waiting)
        self._try_for_s = try_for_s
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="webhooks")

    def put(self, notice: Notice) -> Job | None:
        """Return the job that a notice led to; None where it led to none, or not yet.

        Raises:
            RequestError: The notice is refused.
            InboxFullError: Too many wait.
        """
        if not self._places.acquire(blocking=False):
            raise InboxFullError("too many webhooks wait to be written")
        future = self._writer.submit(self._persist, notice)
        try:
            return future.result(_ANSWER_S)
        except TimeoutError:
            future.add_done_callback(self._tell)
            return None

    def know(self, *projects: str) -> None:
        """Note projects that asked for a model; what cannot be written now is, the next time."""
        for project in set(projects) - self._asked:
            if len(self._asked) >= _MAX_ASKED:
                self._asked.clear()
            self._asked.add(project)
            self._writer.submit(self._noted, project)

    def _noted(self, project: str) -> None:
        if not self._know(project):
            self._asked.discard(project)

    def _persist(self, notice: Notice) -> Job | None:
        until = time.monotonic() + self._try_for_s
        try:
            while True:
                try:
                    return self._take(notice)
                except StorageError as error:  # locked, full, or just begun anew
                    if time.monotonic() > until:
                        raise
                    _log.warning("a webhook cannot be written yet: %s", error)
                    time.sleep(_TRY_EVERY_S)
        finally:
            self._places.release()

    def _tell(self, future: Future[Job | None]) -> None:
        error = future.exception()
        if isinstance(error, Exception):
            self._on_failure(error)
