"""Names of fine-tuned weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.learning.job import free_version
from backend.models.registry import beginning, check_name
from tests.registries import registry_in


def test_a_job_of_a_new_queue_never_takes_the_name_of_older_weights(tmp_path: Path) -> None:
    registry = registry_in(tmp_path / "models")
    (tmp_path / "checkpoint").write_text("old")
    assert free_version(registry, "v-p1-1", queued=5.0) == "v-p1-1"
    registry.add("v-p1-1", tmp_path / "checkpoint", tmp_path / "report", {"queued": 5.0})
    assert free_version(registry, "v-p1-1", queued=5.0) == "v-p1-1"  # its own, once more
    assert free_version(registry, "v-p1-1", queued=9.0) == "v-p1-1-2"
    registry.add("v-p1-1-2", tmp_path / "checkpoint", tmp_path / "report", {"queued": 9.0})
    assert free_version(registry, "v-p1-1", queued=9.0) == "v-p1-1-2"
    assert free_version(registry, "v-p1-1", queued=11.0) == "v-p1-1-3"


def test_weights_of_which_nothing_is_known_keep_their_name(tmp_path: Path) -> None:
    registry = registry_in(tmp_path / "models")
    (tmp_path / "checkpoint").write_text("old")
    registry.add("v-p1-1", tmp_path / "checkpoint", tmp_path / "report", {})
    assert free_version(registry, "v-p1-1", queued=5.0) == "v-p1-1-2"


@pytest.mark.parametrize("version", ["lite2-3", "cells 2026 (größer)", "細胞", ".x", "x" * 90])
def test_weights_of_any_name_give_a_job_a_name_that_can_be_kept(version: str) -> None:
    check_name(f"{beginning(version)}-p123456-12345-2")


def test_a_name_that_can_be_kept_stays() -> None:
    assert beginning("lite2-3.a_b") == "lite2-3.a_b"
