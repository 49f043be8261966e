"""Cores, also of systems that do not tell which of them are ours."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from backend.cores import multiply_in_one_thread, n_cores, wait_asleep


def test_cores_are_those_of_this_process_or_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2, 5}, raising=False)
    assert n_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert n_cores() == os.cpu_count()


def test_threads_sleep_or_are_not_made_unless_an_operator_says_otherwise() -> None:
    for choose, name, value in (
        (wait_asleep, "OMP_WAIT_POLICY", "passive"),
        (multiply_in_one_thread, "OPENBLAS_NUM_THREADS", "1"),
    ):
        environment: dict[str, str] = {}
        choose(environment)
        assert environment == {name: value}
        environment[name] = "other"
        choose(environment)
        assert environment == {name: "other"}


def test_the_command_chooses_before_numpy_is_there() -> None:
    code = (
        "import os, sys; from backend.cli import main; early = 'numpy' not in sys.modules;"
        "main([]); print(early, os.environ['OPENBLAS_NUM_THREADS'])"
    )
    environment = {name: v for name, v in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ended.stdout.endswith("True 1\n")
