"""The other segmenters in the real page: strokes for a graph cut, every object at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from backend.demo.processes import Server
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.brush_rle import decode
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.label_studio_calls import retrieve_predictions, tasks_of
from tests.e2e.labeling_page import LabelingPage

pytestmark = pytest.mark.browser


def _project(api: LabelStudioApi, backend: Server, config: str, photo: str) -> tuple[int, int]:
    """Project and task with one photo."""
    project = api.create_project(config, (ROOT / "label_config" / f"{config}.xml").read_text())
    api.upload(project, [PHOTOS / photo])
    api.connect_backend(project, backend.url)
    return project, int(tasks_of(api, project)[0]["id"])


def test_strokes_are_seeds_that_the_graph_cut_keeps(
    page: LabelingPage, api: LabelStudioApi, backend: Server, tmp_path: Path
) -> None:
    project, task = _project(api, backend, "strokes", "bowl.jpg")
    page.open_task(project, task)
    page.paint("Object here", 35, 45, 60, 92)
    page.paint("Not object", 5, 5, 8, 90)
    page.wait_for_draft()
    page.switch_on_clicking()
    (row,) = page.click(80, 50)["data"]["result"]

    page.screenshot(Path(os.environ.get("MFP_SCREENSHOTS", tmp_path)) / "strokes.png")
    height, width = row["original_height"], row["original_width"]
    mask = decode(row["value"]["rle"], height=height, width=width) > 127
    along = np.linspace(0.05, 0.95, 20)
    painted = [(35 + 25 * t, 45 + 47 * t) for t in along]
    background = [(5 + 3 * t, 5 + 85 * t) for t in along]
    for points, is_object in ((painted, True), (background, False)):
        for x, y in points:
            assert mask[int(y / 100 * height), int(x / 100 * width)] == is_object
    page.accept()
    assert [region["label"] for region in page.masks()].count("Object") == 1


def test_retrieving_predictions_answers_with_every_object(
    page: LabelingPage, api: LabelStudioApi, backend: Server, tmp_path: Path
) -> None:
    project, task = _project(api, backend, "every_object", "coffee.jpg")

    retrieve_predictions(api, project, [task])

    until = time.monotonic() + 120
    while not (predictions := tasks_of(api, project)[0]["predictions"]):
        assert time.monotonic() < until, "no prediction came"
        time.sleep(1)
    (prediction,) = predictions
    assert prediction["model_version"].startswith("lite2-")
    assert prediction["result"], "nothing was found"
    for row in prediction["result"]:
        assert row["type"] == "brushlabels"
        assert 0 < row["score"] <= 1
    page.open_task(project, task)
    page.wait_for_masks(len(prediction["result"]))
    page.screenshot(Path(os.environ.get("MFP_SCREENSHOTS", tmp_path)) / "every_object.png")
