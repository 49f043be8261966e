"""What the server notes of its work: metrics, journal and log behind one door."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from werkzeug.exceptions import HTTPException

from backend.monitoring.journal import Journal
from backend.monitoring.logs import request_id
from backend.monitoring.metrics import Metrics
from backend.storage.bounded_cache import OnUse
from mfp_model.errors import MfpError

_log = logging.getLogger(__name__)
_REFUSAL_EVERY_S = 1.0
_TRACEBACK_EVERY_S = 60.0
_MAX_TRACED = 100
_MAX_LETTERS = 2000  # of a message, which may quote what was sent


class Telemetry:
    """Notes clicks, steps, caches and errors."""

    def __init__(self, metrics: Metrics, journal: Journal) -> None:
        self.metrics = metrics
        self.journal = journal
        self._refused_at = -_REFUSAL_EVERY_S
        self._traced: dict[str, float] = {}  # when a traceback was logged, by its place

    def step(self, name: str) -> AbstractContextManager[object]:
        """Time a step of an answer: image, edit, wait, round, page, mask, encode."""
        return self.metrics.step_seconds.labels(name).time()

    def cache(self, name: str) -> OnUse:
        """Return what a cache reports its uses to."""

        def on_use(is_kept: bool, n_bytes: int) -> None:
            self.metrics.cache_uses.labels(name, "hit" if is_kept else "miss").inc()
            self.metrics.cache_bytes.labels(name).set(n_bytes)

        return on_use

    @contextmanager
    def click(self, task_id: str, n_clicks: int) -> Iterator[None]:
        """Time an answer to clicks; nothing is noted if it fails."""
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        self.metrics.clicks.labels("answered").inc()
        self.metrics.answer_seconds.observe(seconds)
        self.journal.note_click(ms=1000 * seconds)
        _log.info(
            "task %s: %d clicks answered in %.0f ms",
            task_id,
            n_clicks,
            1000 * seconds,
            extra={"task": task_id, "n_clicks": n_clicks, "ms": round(1000 * seconds, 1)},
        )

    def superseded(self, task_id: str, reason: str) -> None:
        """Note a click that a newer one replaced, or whose client has left."""
        self.metrics.clicks.labels("superseded").inc()
        _log.info("task %s: not answered: %s", task_id, reason)

    def refused(self, error: MfpError, *, during: str) -> None:
        """Count what anybody can bring about; the log has a line of it once a second at most."""
        kind = type(error).__name__
        self.metrics.refusals.labels(kind).inc()
        self.metrics.errors.labels(kind).inc()
        now = time.monotonic()
        if now - self._refused_at < _REFUSAL_EVERY_S:
            return
        self._refused_at = now
        _log.warning("%s: %s: %s", during, kind, error)

    def failed(self, error: Exception, *, during: str) -> str:
        """Count and log an error, and return what may be told about it.

        What our own errors and HTTP's say is told; of any other only the log gets details.
        """
        kind = type(error).__name__
        self.metrics.errors.labels(kind).inc()
        if isinstance(error, (MfpError, HTTPException)):
            message = _shortened(str(error))
            _log.error("%s: %s: %s", during, kind, message)
        else:
            message = f"internal error, see the log for request {request_id.get()}"
            self._log_bug(error, during)
        self.journal.note_error(kind=kind, message=message, request_id=request_id.get())
        return message

    def _log_bug(self, error: Exception, during: str) -> None:
        """Log it with its traceback, and the same one soon after with a line."""
        (where,) = traceback.extract_tb(error.__traceback__, limit=-1) or [None]
        name = f"{type(error).__name__} {where.filename if where else ''}"
        place = f"{name}:{where.lineno if where else 0}"
        now = time.monotonic()
        if now - self._traced.get(place, -_TRACEBACK_EVERY_S) < _TRACEBACK_EVERY_S:
            _log.error("%s in request %s: %s, as before", during, request_id.get(), name)
            return
        if len(self._traced) >= _MAX_TRACED:
            self._traced.clear()
        self._traced[place] = now
        _log.error("%s in request %s", during, request_id.get(), exc_info=error)


def _shortened(message: str) -> str:
    return message if len(message) <= _MAX_LETTERS else f"{message[:_MAX_LETTERS]}…"
