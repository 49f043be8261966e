"""Cores, also of systems that do not tell which of them are ours."""

from __future__ import annotations

import os

import pytest

from backend.models.cores import n_cores


def test_cores_are_those_of_this_process_or_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2, 5}, raising=False)
    assert n_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert n_cores() == os.cpu_count()
