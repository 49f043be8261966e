"""What a job learns from, where the job was killed between two steps."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.learning.material import collect
from backend.recording.store import SessionStore
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.file_database import FileDatabase
from backend.storage.packed_runs import pack
from backend.storage.tables import SESSIONS
from mfp_model.errors import ConfigError
from mfp_model.masks.rle import encode_mask
from mfp_model.masks.runs import MaskRuns
from tests.fakes import temporary_settings
from tests.unit.backend.storage.recorded import answer

_MASK = np.ones((4, 6), dtype=np.bool_)


def _exported(folder: Path) -> Path:
    """A job's folder as it is when the export is whole and nothing came after it."""
    data = folder / "data"
    data.mkdir(parents=True)
    annotation = {
        "id": 1,
        "image_id": 7,
        "segmentation": encode_mask(_MASK),
        "label_studio": {"region": "r1"},
    }
    image = {"id": 7, "file_name": "7-a.png", "width": 6, "height": 4, "label_studio": {"task": 7}}
    content = {"images": [image], "annotations": [annotation]}
    (data / "annotations.json").write_text(json.dumps(content))
    (data / "export.json").write_text(json.dumps({"messages": ["task 8: gone"]}))
    return folder


def _sessions(folder: Path) -> Database:
    return FileDatabase(folder / "sessions.sqlite3", SESSIONS)


def _record(database: Database, *points: str) -> None:
    store = SessionStore(database, max_bytes=10_000_000)
    row = replace(
        answer(1),
        label="Cat",
        points=points,
        clicks=[(2.0, 1.0, 1) for _ in points],
        regions=["r1"],
        answer=pack(MaskRuns.of(_MASK)),
    )
    store.add_answer(row)


def _collected(folder: Path, settings: Settings, sessions: Database | None) -> dict[str, Any]:
    data = collect(
        folder, project="3", settings=settings, sessions=sessions, report=lambda share: None
    )
    (annotation,) = json.loads((data / "annotations.json").read_text())["annotations"]
    entry: dict[str, Any] = annotation
    return entry


def test_a_job_killed_between_export_and_clicks_still_gets_its_clicks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, sessions = _exported(tmp_path / "job"), _sessions(tmp_path)
    _record(sessions, "p1")
    assert _collected(folder, temporary_settings(), sessions)["clicks"] == [[2.0, 1.0, 1]]
    assert "not learned from: task 8: gone" in caplog.text


def test_what_is_clicked_later_does_not_change_a_job_that_has_its_clicks(tmp_path: Path) -> None:
    folder, sessions = _exported(tmp_path / "job"), _sessions(tmp_path)
    _record(sessions, "p1")
    _collected(folder, temporary_settings(), sessions)
    _record(sessions, "p1", "p2")
    assert len(_collected(folder, temporary_settings(), sessions)["clicks"]) == 1


def test_a_job_without_recorded_clicks_goes_on_without(tmp_path: Path) -> None:
    folder = _exported(tmp_path / "job")
    assert "clicks" not in _collected(folder, temporary_settings(), None)


def test_an_export_that_is_not_whole_is_made_anew(tmp_path: Path) -> None:
    folder = _exported(tmp_path / "job")
    (folder / "data" / "export.json").unlink()
    with pytest.raises(ConfigError, match="LABEL_STUDIO_URL"):
        _collected(folder, temporary_settings(), None)
