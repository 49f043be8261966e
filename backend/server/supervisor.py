"""The parent process: keeps workers and fine-tuning alive, whatever happens to one of them.

gunicorn's arbiter does the work. It differs here in four things: one worker that cannot start
never ends the others, new workers are ready before old ones go, Ctrl-C lets clicks be finished, and
`mfp work` is watched too.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from gunicorn.arbiter import Arbiter

from backend.server.fine_tuning import FineTuningProcess
from backend.server.replicas import ReplicasProcess
from backend.server.shared_memory import restore
from backend.server.worker import ready_file
from mfp_model.errors import MfpError

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_MAX_FAILED = 3  # workers of a reload, after which the old ones stay


class SupervisionError(MfpError):
    """A worker that does not start, or a reload that was given up."""


class Supervisor(Arbiter):  # type: ignore[misc]
    """Starts, watches and replaces workers."""

    def __init__(
        self,
        app: object,
        fine_tuning: FineTuningProcess,
        check: Callable[[], str | None],
        note: Callable[[Exception], None],
        replicas: ReplicasProcess | None = None,
    ) -> None:
        """Prepare.

        Args:
            app: What gunicorn serves; it has `shared_dir` and `has_others`.
            fine_tuning: The process beside the workers.
            check: Returns why new workers could not serve, None where they could.
            note: Puts an error onto the status page.
            replicas: What looks after those that compute; None where workers do.
        """
        self._replicas = replicas
        self._fine_tuning = fine_tuning
        self._check = check
        self._note = note
        self._old: set[int] = set()  # that go when as many new ones are ready
        self._ended: set[int] = set()  # that were asked to end
        self._young: set[int] = set()  # that are not ready yet
        self._n_failed = 0
        self._spawn_at = 0.0
        super().__init__(app)

    def handle_int(self) -> None:
        """End as at SIGTERM; a second Ctrl-C ends what is still being computed."""
        self.handle_term()

    def reload(self) -> None:
        """Start new workers beside the old ones, which end once as many new ones are ready."""
        problem = self._check()
        if problem is not None:
            self._tell(f"not reloaded, the workers stay as they are: {problem}")
            return
        if set(self.WORKERS) - self._ended - self._young:
            self._end(set(self._young))  # of a reload before, whose weights are old by now
        self._old = set(self.WORKERS) - self._ended
        self._n_failed, self._spawn_at = 0, 0.0
        self.manage_workers()

    def manage_workers(self) -> None:
        """Start what is missing, and end what is replaced; called about once a second."""
        if self._was_removed():
            self._tell(
                f"{self.app.shared_dir}, which the workers share, was removed: "
                "workers are started anew on a new one"
            )
            self.reload()
        self._fine_tuning.look()
        if self._fine_tuning.was_moved():
            self._tell("the data folder was moved or removed: workers are started anew on it")
            self.reload()
        if self._replicas is not None and self._replicas.was_restarted():
            self.reload()
        self._look_at_young()
        current = set(self.WORKERS) - self._old - self._ended
        for _ in range(self.num_workers - len(current)):
            if time.monotonic() < self._spawn_at:
                break
            self._spawn()
        self._retire()

    def _was_removed(self) -> bool:
        """Whether the workers' folder was removed since the last look; it is made anew."""
        try:
            return restore(self.app.shared_dir)
        except OSError as error:
            _log.error("what the workers share was removed and cannot be made anew: %s", error)
            return False

    def _spawn(self) -> None:
        self.app.has_others = bool(set(self.WORKERS) - self._ended - self._young)
        try:
            pid = self.spawn_worker()
        except OSError as error:  # as where the system has no process more
            if os.getpid() != self.pid:  # of the new worker itself
                raise
            self._failed(f"a worker cannot be started: {error}")
            return
        with suppress(OSError):
            ready_file(self.app.shared_dir, pid).unlink()  # of an ended one with its number
        self._young.add(pid)

    def _look_at_young(self) -> None:
        self._old &= set(self.WORKERS)
        self._ended &= set(self.WORKERS)
        for pid in list(self._young):
            if pid not in self.WORKERS:
                self._young.remove(pid)
                self._failed("a worker ended before it was ready")
            elif ready_file(self.app.shared_dir, pid).exists():
                self._young.remove(pid)
                self._n_failed = 0

    def _failed(self, what: str) -> None:
        """One does not start: wait longer each time, and give up a reload."""
        self._n_failed += 1
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self._n_failed)
        self._spawn_at = time.monotonic() + pause_s
        self._tell(f"{what} ({self._n_failed} times); see the log")
        if self._old and self._n_failed >= _MAX_FAILED:
            self._tell("not reloaded, the workers stay as they are: the new ones do not start")
            self._end(set(self.WORKERS) - self._old)
            self._old = set()

    def _retire(self) -> None:
        current = set(self.WORKERS) - self._old - self._ended
        if self._old and len(current - self._young) >= self.num_workers:
            self._end(self._old)
            self._old = set()
        elif not self._old and len(current) > self.num_workers:  # after SIGTTOU
            self._end(set(self._dispensable(current)[: len(current) - self.num_workers]))

    def _dispensable(self, pids: set[int]) -> list[int]:
        """Those first that cannot answer yet, then the oldest."""
        return sorted(pids, key=lambda pid: (pid not in self._young, int(self.WORKERS[pid].age)))

    def _end(self, pids: set[int]) -> None:
        for pid in pids & set(self.WORKERS):
            self._ended.add(pid)
            self._young.discard(pid)
            self.kill_worker(pid, signal.SIGTERM)

    def _tell(self, message: str) -> None:
        _log.error("%s", message)
        self._note(SupervisionError(message))
