"""A process beside the workers that cannot be started again at once."""

from __future__ import annotations

import errno
import os
import subprocess
import time

import pytest

from backend.server.watched_process import WatchedProcess

_LIMIT_S = 20.0


def test_one_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    full = BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    outcomes: list[OSError | None] = [None, full, full, None]
    told: list[str] = []

    def start() -> subprocess.Popen[bytes]:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        return subprocess.Popen(["true"])

    watched = WatchedProcess("it", start, told.append, first_pause_s=0.01, calm_s=60)
    until = time.monotonic() + _LIMIT_S
    while not watched.was_restarted():
        assert time.monotonic() < until
        time.sleep(0.01)
    assert not outcomes
    assert [message.partition(" in ")[0] for message in told] == [
        "`it` ended by itself, and is started again",
        *2 * [f"`it` cannot be started ({full}), and is tried again"],
    ]
    watched.end(kill_after_s=_LIMIT_S)
