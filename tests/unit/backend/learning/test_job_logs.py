"""The ends of jobs' logs, on all machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.learning.job_logs import JobLogs
from backend.storage.bucket import Bucket
from backend.storage.data_folder import DataFolder
from backend.storage.errors import StorageError


def test_any_machine_shows_the_end_of_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(f"file://{tmp_path / 'bucket'}")
    here, there = (JobLogs(DataFolder(tmp_path / name), bucket) for name in "ab")
    here.share(1)
    assert there.end(1) == ""
    here.path(1).write_text("begin " * 10_000 + "the end")
    here.share(1)
    assert there.end(1) == here.end(1)
    assert there.end(1).endswith("the end")
    assert len(there.end(1)) == 20_000
    writes = []
    monkeypatch.setattr(Bucket, "write", lambda *given: writes.append(given))
    here.share(1)
    assert writes == []  # nothing new


def test_a_bucket_that_is_away_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logs = JobLogs(DataFolder(tmp_path / "data"), Bucket(f"file://{tmp_path / 'bucket'}"))

    def away(*_: object) -> None:
        raise StorageError("MFP_BUCKET: away")

    monkeypatch.setattr(Bucket, "write", away)
    monkeypatch.setattr(Bucket, "read", away)
    logs.path(1).write_text("line")
    logs.share(1)
    assert "its log is not shared: MFP_BUCKET: away" in caplog.text
    assert logs.end(1) == "line"
    assert logs.end(2) == "the log cannot be read just now: MFP_BUCKET: away"


def test_without_a_bucket_the_folder_is_enough(tmp_path: Path) -> None:
    logs = JobLogs(DataFolder(tmp_path), None)
    logs.path(1).write_text("line")
    logs.share(1)
    assert logs.end(1) == "line"
    assert logs.end(2) == ""
