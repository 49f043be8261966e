"""How a worker ends."""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from backend.server.worker import ReadingWorker


class _Worker(ReadingWorker):
    """One that was asked to end at once."""

    def __init__(self, *, is_ready: bool) -> None:
        models = SimpleNamespace(is_ready=is_ready)
        self.app = SimpleNamespace(service=SimpleNamespace(models=models), has_others=False)
        self.cfg = SimpleNamespace(graceful_timeout=1)
        self.sockets: list[object] = []
        self.alive = False
        self._limits = SimpleNamespace(n_threads=1)


@pytest.mark.parametrize(("is_ready", "called"), [(True, []), (False, [os._exit])])
def test_libraries_that_still_load_have_no_time_to_crash(
    monkeypatch: pytest.MonkeyPatch, is_ready: bool, called: list[Callable[[int], None]]
) -> None:
    registered: list[Callable[[int], None]] = []
    monkeypatch.setattr(atexit, "register", lambda call, *arguments: registered.append(call))
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    _Worker(is_ready=is_ready).run()
    assert registered == called
