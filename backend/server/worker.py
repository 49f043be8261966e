"""A worker process: gunicorn starts and watches it, Waitress reads its connections."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.task import ThreadedTaskDispatcher

from backend.server.connection_limits import within_open_files
from backend.server.connections import Listener

_LOOK_EVERY_S = 1.0
_READY_LIMIT_S = 300.0
FAILED_CODE = 1  # gunicorn's own code for this would end the whole server


class ReadingWorker(Worker):  # type: ignore[misc]
    """Reads requests as their bytes arrive, and answers them in threads.

    Where other workers serve already, it takes no connection before its weights are loaded.
    """

    def init_process(self) -> None:
        """Load the application and serve; a failure ends this worker only."""
        self._limits = within_open_files(self.app.limits)
        try:
            super().init_process()
        except Exception:
            self.log.exception("a worker cannot start")
            sys.exit(FAILED_CODE)

    def init_signals(self) -> None:
        """Leave Ctrl-C, which reaches all processes, to the one that then sends SIGTERM.

        Both at once would end this process where the processor has AMX: on the stack that OpenVINO
        gives its thread for signals there is room for one.
        """
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def handle_quit(self, sig: int, frame: object) -> None:
        """End as at SIGTERM: gunicorn's own way cuts clicks."""
        self.alive = False

    def run(self) -> None:
        """Serve until asked to end; what is being answered then is finished."""
        server = self.app
        if server.has_others:
            self._wait_for_weights()
        sockets: dict[int, Any] = {}
        threads = ThreadedTaskDispatcher()
        threads.set_thread_count(self._limits.n_threads)
        listeners = [
            Listener(self.wsgi, listening.sock, sockets, threads, self._limits)
            for listening in self.sockets
        ]
        was_ready = False
        while self.alive and self.ppid == os.getppid():
            self.notify()
            wasyncore.loop(timeout=_LOOK_EVERY_S, use_poll=True, map=sockets, count=1)
            if not was_ready and server.service.models.is_ready:
                was_ready = True
                self._tell_ready()
        self._finish(listeners, sockets, threads)

    def _wait_for_weights(self) -> None:
        models = self.app.service.models
        until = time.monotonic() + _READY_LIMIT_S
        while self.alive and self.ppid == os.getppid() and not models.is_ready:
            if models.failure is not None or time.monotonic() > until:
                self.log.error("a worker's weights cannot be loaded: %s", models.failure or "late")
                sys.exit(FAILED_CODE)
            self.notify()
            time.sleep(_LOOK_EVERY_S / 10)
        self._tell_ready()

    def _tell_ready(self) -> None:
        try:
            ready_file(self.app.shared_dir, os.getpid()).touch()
        except OSError as error:  # it was removed, and is made anew: clicks go on meanwhile
            self.log.error("a worker cannot tell that it is ready: %s", error)

    def _finish(
        self, listeners: list[Listener], sockets: dict[int, Any], threads: ThreadedTaskDispatcher
    ) -> None:
        for listener in listeners:
            listener.accepting = False
            listener.del_channel()
        until = time.monotonic() + self.cfg.graceful_timeout
        while (
            any(listener.n_expecting(time.monotonic()) for listener in listeners)
            and time.monotonic() < until
        ):
            self.notify()
            wasyncore.loop(timeout=_LOOK_EVERY_S / 10, use_poll=True, map=sockets, count=1)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        threads.shutdown(timeout=1)
        if not self.app.service.models.is_ready:
            # Libraries abort where their objects go while a thread still makes some. What waits
            # to be written is written before this is called.
            atexit.register(os._exit, 0)


def ready_file(shared_dir: Path, pid: int) -> Path:
    """Return the file that a worker writes when it can answer clicks."""
    return shared_dir / f"ready-{pid}"
