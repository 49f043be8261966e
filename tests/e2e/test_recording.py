"""How people click is recorded by the real page's clicks, reported, and replayed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from backend.cli import main
from backend.demo.processes import TOKEN, Server, free_port, start_backend
from backend.label_studio.api import LabelStudioApi
from backend.recording.recorded_objects import RecordedObject, read_objects
from backend.storage.file_database import FileDatabase
from backend.storage.tables import SESSIONS
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.label_studio_calls import tasks_of
from tests.e2e.labeling_page import LabelingPage

pytestmark = pytest.mark.browser


@pytest.fixture
def environment(label_studio: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)
    monkeypatch.setenv("MFP_DATA_DIR", str(tmp_path / "backend-data"))


def _wait_for_final(path: Path, n_finals: int) -> list[RecordedObject]:
    """Label Studio sends webhooks a moment after it has answered the page."""
    for _ in range(100):
        objects = read_objects(FileDatabase(path, SESSIONS)) if path.exists() else []
        if sum(entry.final is not None for entry in objects) == n_finals:
            return objects
        time.sleep(0.1)
    raise TimeoutError(f"{n_finals} saved masks expected")


def test_clicks_in_the_page_are_recorded_reported_and_replayed(
    page: LabelingPage,
    api: LabelStudioApi,
    label_studio: Server,
    environment: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = start_backend(
        tmp_path / "backend.log",
        port=free_port(),
        label_studio_url=label_studio.url,
        n_workers=2,
    )
    with server.running(limit_s=60):
        config = (ROOT / "label_config" / "one_class.xml").read_text()
        project = api.create_project("recorded", config)
        api.upload(project, [PHOTOS / "bowl.jpg", PHOTOS / "dogs.jpg"])
        api.connect_backend(project, server.url)
        bowl, dogs = (int(task["id"]) for task in tasks_of(api, project))
        page.open_task(project, bowl)
        page.switch_on_clicking()
        page.click(75, 60)
        page.click(45, 45)
        page.accept()
        page.wait_until_saved(bowl)
        page.click(60, 55, alt=True, on_mask=True)  # the same mask, edited
        page.accept()
        page.submit()
        page.open_task(project, dogs)
        page.switch_on_clicking()
        page.click(30, 60)  # and left alone
        store = tmp_path / "backend-data" / "sessions.sqlite3"
        objects = _wait_for_final(store, 1)
    assert [len(entry.clicks) for entry in objects] == [3, 1]
    assert [entry.prior for entry in objects] == [None, None]
    assert {entry.project for entry in objects} == {str(project)}
    assert all("upload" in entry.image for entry in objects)
    assert objects[0].ious()[-1] == 1.0

    report = Path(os.environ.get("MFP_SCREENSHOTS", tmp_path)) / "sessions.html"
    assert main(["sessions", "report", "--out", str(report), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_accepted"] == 1
    page.page.goto(report.as_uri())
    page.page.wait_for_selector("figure img")
    page.page.screenshot(path=report.with_suffix(".png"), full_page=True)

    assert main(["evaluate", "sessions", "--project", str(project), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert (scores["n_objects"], scores["n_clicks"]) == (1, 3)
    assert scores["final_iou"] > 0.99  # the same weights say the same again


def test_tasks_come_in_the_order_of_the_models_doubt(
    page: LabelingPage,
    api: LabelStudioApi,
    backend: Server,
    environment: None,
    tmp_path: Path,
) -> None:
    config = (ROOT / "label_config" / "one_class.xml").read_text()
    project = api.create_project("doubt", config)
    names = ("bowl", "cat", "dogs")
    api.upload(project, [PHOTOS / f"{name}.jpg" for name in names])
    api.connect_backend(project, backend.url)
    annotate = ["annotate", "--project", str(project), "--rounds", "0", "--batch", "2"]
    assert main(annotate) == 0
    assert main(annotate) == 0
    rows = tasks_of(api, project)
    assert [len(row["predictions"]) for row in rows] == [1, 1, 1]
    doubts = sorted(rows, key=lambda row: float(row["predictions"][0]["score"]))
    # The tab is there, and the page shows the tasks in its order.
    page.page.goto(f"{page.url}/projects/{project}/data", wait_until="domcontentloaded")
    page.page.get_by_text("Least sure first").first.click()
    page.page.wait_for_timeout(3000)
    page.screenshot(Path(os.environ.get("MFP_SCREENSHOTS", tmp_path)) / "doubt.png")
    ids = page.page.evaluate("() => window.dataManager.store.taskStore.list.map(t => t.id)")
    assert ids == [row["id"] for row in doubts]
    # What the model found is there when the task is opened.
    page.open_task(project, ids[-1])
    page.page.wait_for_function(
        "() => (window.Htx || window.dataManager?.lsf?.lsf?.store)?.annotationStore?.selected"
        "?.regionStore.regions.length > 0"
    )
