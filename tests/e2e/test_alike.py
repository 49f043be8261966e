"""All like this, in the real page: one click, one check, one way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.demo.processes import Server
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.brush_rle import decode
from tests.e2e.conftest import ROOT
from tests.e2e.labeling_page import LabelingPage

pytestmark = pytest.mark.browser

_WIDTH, _HEIGHT, _RADIUS = 640, 480, 38
_PLACES = [(x, y) for y in (90, 240, 390) for x in (80, 240, 400, 560)]


def _tray(path: Path) -> Path:
    """A picture of twelve coins on a dark tray."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    noise = np.random.default_rng(3).normal(0, 4, (_HEIGHT, _WIDTH))
    picture = 50 + columns / 30 + noise
    for x, y in _PLACES:
        away = np.hypot(columns - x, rows - y)
        relief = 150 + (columns - x) * 0.6 + 12 * np.sin(away)
        picture = np.where(away < _RADIUS, relief + noise, picture)
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).convert("RGB").save(path)
    return path


def test_one_click_gives_all_like_it_and_one_check_takes_them(
    page: LabelingPage, api: LabelStudioApi, backend: Server, tmp_path: Path
) -> None:
    project = api.create_project(
        "all like this", (ROOT / "label_config" / "all_like_this.xml").read_text()
    )
    api.upload(project, [_tray(tmp_path / "tray.png")])
    api.connect_backend(project, backend.url)
    task = int(api.tasks(project)[0]["id"])
    page.open_task(project, task)
    page.switch_on_clicking()
    page.page.keyboard.press("2")
    x, y = _PLACES[5]
    rows = page.click(x / _WIDTH * 100, y / _HEIGHT * 100)["data"]["result"]
    masks = [decode(row["value"]["rle"], height=_HEIGHT, width=_WIDTH) > 127 for row in rows]
    hit = {(x, y) for x, y in _PLACES for mask in masks if mask[y, x]}
    assert len(hit) >= 10
    assert {label for row in rows for label in row["value"]["brushlabels"]} == {"Object"}
    page.accept()
    assert len(page.masks()) == len(rows)
    page.screenshot(tmp_path / "accepted.png")
    page.page.keyboard.press("Control+z")
    page.wait_for_masks(0)
