"""Threads for what is done beside the requests, and nobody misses when the process ends."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class BackgroundThreads:
    """A few threads that make calls in the order they come.

    The process ends without them: what waits then is not begun, and what runs is left. For what
    must not be lost, use a `ThreadPoolExecutor`, for which it waits.
    """

    def __init__(self, n_threads: int, *, name: str) -> None:
        """Start none yet.

        Args:
            n_threads: So many calls at a time; further ones wait.
            name: The threads'.
        """
        self._n_threads = n_threads
        self._name = name
        self._lock = threading.Lock()
        self._n_running = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def submit(self, call: Callable[..., T], *arguments: object) -> Future[T]:
        """Return what a call will return, or raise."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(call(*arguments))
            except BaseException as error:
                future.set_exception(error)

        with self._lock:
            if self._n_running < self._n_threads:
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
                self._n_running += 1
            self._waiting.append(run)
        return future

    def _run(self) -> None:
        while run := self._next():
            run()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._n_running -= 1
            return None
