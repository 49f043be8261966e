"""Fixtures of the tests of versions."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.models.registry import ModelRegistry
from backend.models.serving import ServingFile
from backend.models.version_bucket import VersionBucket
from backend.storage.bucket import Bucket

Machine = Callable[[str], ModelRegistry]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Machines by name: each with a folder of its own, all with one bucket."""
    bucket = Bucket(f"file://{tmp_path / 'bucket'}")
    serving = tmp_path / "serving"
    return lambda name: ModelRegistry(
        VersionBucket(bucket, tmp_path / name / "cache" / "models"), ServingFile(serving)
    )


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what another thread does, ten seconds at most."""
    until = time.monotonic() + 10
    while not is_so() and time.monotonic() < until:
        time.sleep(0.05)
