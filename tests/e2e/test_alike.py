"""All like this, in the real page: one click, one check, one way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backend.cli import main
from backend.demo.processes import TOKEN, Server
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.brush_rle import decode, encode
from tests.e2e.conftest import ROOT
from tests.e2e.label_studio_calls import add_annotation, tasks_of
from tests.e2e.labeling_page import LabelingPage
from tests.fakes import temporary_settings

pytestmark = pytest.mark.browser

_WIDTH, _HEIGHT, _RADIUS = 640, 480, 38
_PLACES = [(x, y) for y in (90, 240, 390) for x in (80, 240, 400, 560)]


def _disk(x: int, y: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    return np.asarray(np.hypot(columns - x, rows - y) < _RADIUS)


def _tray(path: Path) -> Path:
    """A picture of twelve coins on a dark tray."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    noise = np.random.default_rng(3).normal(0, 4, (_HEIGHT, _WIDTH))
    picture = 50 + columns / 30 + noise
    for x, y in _PLACES:
        away = np.hypot(columns - x, rows - y)
        relief = 150 + (columns - x) * 0.6 + 12 * np.sin(away)
        picture = np.where(_disk(x, y), relief + noise, picture)
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).convert("RGB").save(path)
    return path


def _hit(rows: list[dict[str, Any]]) -> set[tuple[int, int]]:
    """Places of coins that have a mask."""
    masks = [decode(row["value"]["rle"], height=_HEIGHT, width=_WIDTH) > 127 for row in rows]
    return {(x, y) for x, y in _PLACES for mask in masks if mask[y, x]}


def test_one_click_gives_all_like_it_and_one_check_takes_them(
    page: LabelingPage, api: LabelStudioApi, backend: Server, tmp_path: Path
) -> None:
    project = api.create_project(
        "all like this", (ROOT / "label_config" / "all_like_this.xml").read_text()
    )
    api.upload(project, [_tray(tmp_path / "tray.png")])
    api.connect_backend(project, backend.url)
    task = int(tasks_of(api, project)[0]["id"])
    page.open_task(project, task)
    page.switch_on_clicking()
    page.press_label("2")
    x, y = _PLACES[5]
    rows = page.click(x / _WIDTH * 100, y / _HEIGHT * 100)["data"]["result"]
    assert len(_hit(rows)) >= 10
    assert {label for row in rows for label in row["value"]["brushlabels"]} == {"Object"}
    page.accept()
    assert len(page.masks()) == len(rows)
    page.screenshot(tmp_path / "accepted.png")
    page.page.keyboard.press("Control+z")
    page.wait_for_masks(0)


def test_a_region_of_one_task_brings_its_like_on_all_tasks(
    api: LabelStudioApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = api.create_project(
        "like a region", (ROOT / "label_config" / "all_like_this.xml").read_text()
    )
    api.upload(project, [_tray(tmp_path / "first.png"), _tray(tmp_path / "second.png")])
    first, second = (int(task["id"]) for task in tasks_of(api, project))
    region = {
        "id": "example",
        "type": "brushlabels",
        "from_name": "brush",
        "to_name": "image",
        "original_width": _WIDTH,
        "original_height": _HEIGHT,
        "value": {
            "format": "rle",
            "rle": encode(_disk(*_PLACES[5])),
            "brushlabels": ["Object"],
        },
    }
    add_annotation(api, first, [region])
    monkeypatch.setenv("LABEL_STUDIO_URL", api.access.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)
    monkeypatch.setenv("MFP_DATA_DIR", str(temporary_settings().data_dir))
    command = ["annotate", "--project", str(project), "--like", f"{first}:example"]
    assert main(command) == 0
    rows = {
        int(task["id"]): [row for prediction in task["predictions"] for row in prediction["result"]]
        for task in api.tasks_after(project, 0, limit=10)
    }
    assert len(_hit(rows[first])) >= 9
    assert _PLACES[5] not in _hit(rows[first])
    assert len(_hit(rows[second])) >= 10
    assert main(command) == 0  # what is there already is not stored again
    assert all(len(task["predictions"]) == 1 for task in api.tasks_after(project, 0, limit=10))
