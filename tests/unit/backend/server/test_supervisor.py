"""Which workers go when fewer are wanted, and what happens where none can be started."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from backend.server.supervisor import Supervisor
from backend.server.worker import ready_file


class _Supervisor(Supervisor):
    """With workers that are only told of."""

    def __init__(self, shared_dir: Path, ages: dict[int, int], *, n_wanted: int) -> None:
        self.app = SimpleNamespace(shared_dir=shared_dir)
        self.WORKERS = {pid: SimpleNamespace(age=age) for pid, age in ages.items()}
        self._num_workers = n_wanted
        self._fine_tuning = SimpleNamespace(look=lambda: None, was_moved=lambda: False)
        self._replicas, self._old, self._ended, self._young = None, set(), set(), set(ages)
        self._n_failed, self._spawn_at, self.pid = 0, 0.0, os.getpid()
        self.noted: list[Exception] = []
        self._note = self.noted.append
        self.killed: list[int] = []
        (shared_dir / "lock").touch()

    def kill_worker(self, pid: int, sig: int) -> None:
        self.killed.append(pid)


@pytest.mark.parametrize(
    ("ready", "gone"), [([11], [12]), ([12], [11]), ([11, 12], [11]), ([], [11])]
)
def test_one_worker_less_is_not_the_one_that_answers(
    tmp_path: Path, ready: list[int], gone: list[int]
) -> None:
    supervisor = _Supervisor(tmp_path, {11: 1, 12: 2}, n_wanted=1)
    for pid in ready:
        ready_file(tmp_path, pid).touch()
    supervisor.manage_workers()
    assert supervisor.killed == gone


def test_where_no_worker_can_be_started_the_server_goes_on_and_tries_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spawn_worker(_: _Supervisor) -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(_Supervisor, "spawn_worker", spawn_worker)
    supervisor = _Supervisor(tmp_path, {11: 1}, n_wanted=3)
    for _ in range(2):
        supervisor.manage_workers()
    (error,) = supervisor.noted
    assert "a worker cannot be started: [Errno 11] Resource temporarily" in str(error)
    monkeypatch.setattr(_Supervisor, "spawn_worker", lambda _: 12)
    supervisor._spawn_at = 0.0
    supervisor.manage_workers()
    assert supervisor._young == {11, 12}


def test_a_worker_with_the_number_of_an_ended_one_is_not_ready_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_file(tmp_path, 12).touch()
    monkeypatch.setattr(_Supervisor, "spawn_worker", lambda _: 12)
    supervisor = _Supervisor(tmp_path, {}, n_wanted=1)
    supervisor.manage_workers()
    supervisor.WORKERS = {12: SimpleNamespace(age=1)}
    supervisor.manage_workers()
    assert supervisor._young == {12}
