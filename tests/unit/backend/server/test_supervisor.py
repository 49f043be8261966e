"""Which workers go when fewer are wanted."""

from __future__ import annotations

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
