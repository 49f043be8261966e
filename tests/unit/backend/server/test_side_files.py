"""The status page and its neighbours outlive what lies beside them in files."""

import re
import sqlite3
from pathlib import Path

from flask.testing import FlaskClient

from backend.models.registry import model_registry
from backend.models.served import ServedModels
from backend.server.app import create_app
from backend.settings import Settings
from backend.storage.data_folder import DataFolder
from backend.storage.shared_state import SharedState
from tests.fakes import DiskSegmenter, temporary_settings
from tests.unit.backend.models.weights import Weights


def _client(settings: Settings) -> FlaskClient:
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    return create_app(settings, models=models).test_client()


def test_the_page_is_shown_while_what_serves_cannot_be_read() -> None:
    settings = temporary_settings()
    client = _client(settings)
    path = DataFolder(settings.data_dir).models / "serving.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("{")
    page = client.get("/")
    assert page.status_code == 200
    assert "serving.json: damaged" in page.text


def test_a_version_that_was_promoted_and_cannot_be_used_is_told_from_the_one_that_serves(
    tmp_path: Path,
) -> None:
    settings = temporary_settings()
    registry = model_registry(SharedState(*settings.places))
    for version in ("v1", "broken"):
        (tmp_path / "weights").write_text(version)
        registry.add(version, tmp_path / "weights", tmp_path / "none", {})
        registry.promote(version, project="14")
    models = ServedModels(
        Weights().load, version="default", registry=registry, read_version=Path.read_text
    )
    client = create_app(settings, models=models).test_client()
    assert models.segmenter("14", wait_s=10).version == "v1"
    cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in client.get("/").text.split("<td>")]
    assert cells[cells.index("v1") + 1].startswith("project 14")
    assert cells[cells.index("broken") + 1].startswith("promoted for project 14, not in use")


def test_the_page_and_the_metrics_are_shown_while_the_queue_cannot_be_read() -> None:
    settings = temporary_settings()
    client = _client(settings)
    database = sqlite3.connect(DataFolder(settings.data_dir).jobs_file)
    database.execute("DROP TABLE jobs")
    database.commit()
    assert "no such table: jobs" in client.get("/").text
    metrics = client.get("/metrics")
    assert metrics.status_code == 200
    assert "mfp_requests_total" in metrics.text


def test_a_report_of_odd_bytes_is_sent_as_it_is() -> None:
    settings = temporary_settings()
    client = _client(settings)
    folder = DataFolder(settings.data_dir).models / "v1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    assert client.get("/models/v1/report").status_code == 404
    (folder / "report.html").write_bytes(b"\xff<p>")
    assert client.get("/models/v1/report").data == b"\xff<p>"
    for gone in ("v2", "..", "*"):
        assert client.get(f"/models/{gone}/report").status_code == 404
    assert "RegistryError" not in client.get("/").text
