"""Cores, also of systems that do not tell which of them are ours."""

from __future__ import annotations

import os

import pytest

from backend.models.cores import n_cores, wait_asleep


def test_cores_are_those_of_this_process_or_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2, 5}, raising=False)
    assert n_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert n_cores() == os.cpu_count()


def test_threads_sleep_while_they_wait_unless_an_operator_says_otherwise() -> None:
    environment: dict[str, str] = {}
    wait_asleep(environment)
    assert environment == {"OMP_WAIT_POLICY": "passive"}
    environment["OMP_WAIT_POLICY"] = "active"
    wait_asleep(environment)
    assert environment == {"OMP_WAIT_POLICY": "active"}
