"""An annotator's work from the first click to the saved annotation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backend.demo.processes import Server
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.brush_rle import decode
from mfp_model.data.automatic_clicks import next_click
from mfp_model.masks.polygons import mask_of
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.label_studio_calls import tasks_of
from tests.e2e.labeling_page import LabelingPage

pytestmark = pytest.mark.browser

# every_object.xml fills the page before the first click, see test_segmenters.py; the test of
# clicks that make a mask has one_class.xml
_ELSEWHERE = {"every_object", "one_class"}
_CONFIGS = sorted(
    path for path in (ROOT / "label_config").glob("*.xml") if path.stem not in _ELSEWHERE
)
_MAX_CLICKS = 6


@pytest.fixture(scope="module")
def project(api: LabelStudioApi, backend: Server) -> int:
    project = api.create_project("one class", (ROOT / "label_config" / "one_class.xml").read_text())
    api.upload(project, [PHOTOS / "bowl.jpg", PHOTOS / "coffee.jpg", PHOTOS / "dogs.jpg"])
    api.connect_backend(project, backend.url)
    return project


@pytest.fixture(scope="module")
def bowl() -> NDArray[np.bool_]:
    return np.asarray(Image.open(ROOT / "tests" / "data" / "bowl_mask.png")) > 0


def _task(api: LabelStudioApi, project: int, photo: str) -> dict[str, Any]:
    return next(task for task in tasks_of(api, project) if photo in task["data"]["image"])


def _mask(row: dict[str, Any]) -> NDArray[np.bool_]:
    height, width = row["original_height"], row["original_width"]
    alpha = decode(row["value"]["rle"], height=height, width=width)
    assert set(np.unique(alpha)) <= {0, 255}
    return alpha > 127


def _row(answer: dict[str, Any]) -> dict[str, Any]:
    (row,) = answer["data"]["result"]
    return dict(row)


def _click_pixel(page: LabelingPage, truth: NDArray[np.bool_], mask: NDArray[np.bool_]) -> Any:  # noqa: ANN401
    """Click the deepest point of the larger error, with Alt where the mask is too much."""
    click = next_click(truth, mask)
    assert click is not None
    height, width = truth.shape
    x, y = (click.column + 0.5) / width * 100, (click.row + 0.5) / height * 100
    return page.click(x, y, alt=not click.is_positive)


def _saved_masks(api: LabelStudioApi, project: int, photo: str) -> list[dict[str, Any]]:
    (annotation,) = _task(api, project, photo)["annotations"]
    return [row for row in annotation["result"] if row["type"] == "brushlabels"]


def test_clicks_make_a_mask_that_is_saved_as_it_was_sent(
    page: LabelingPage,
    api: LabelStudioApi,
    project: int,
    bowl: NDArray[np.bool_],
    tmp_path: Path,
) -> None:
    task = _task(api, project, "bowl")
    page.open_task(project, task["id"])
    page.switch_on_clicking()
    mask = np.zeros_like(bowl)
    row: dict[str, Any] = {}
    for _ in range(_MAX_CLICKS):
        row = _row(_click_pixel(page, bowl, mask))
        mask = _mask(row)
        if (mask & bowl).sum() / (mask | bowl).sum() >= 0.9:
            break
    page.screenshot(Path(os.environ.get("MFP_SCREENSHOT", tmp_path / "mask.png")))
    assert (mask & bowl).sum() / (mask | bowl).sum() >= 0.8
    assert page.suggestions() == 1

    # Alt+click: there the mask ends.
    row = _row(page.click(50, 30, alt=True))
    after_alt = _mask(row)
    height, width = bowl.shape
    assert not after_alt[int(0.3 * height), int(0.5 * width)]

    page.accept()
    page.wait_for_masks(1)
    assert page.suggestions() == 0

    # A second object begins with its own clicks; the first one stays as it is.
    second = _row(page.click(12, 85))
    assert second["id"] != row["id"]
    page.accept()
    page.wait_for_masks(2)
    page.submit()

    saved = _saved_masks(api, project, "bowl")
    assert len(saved) == 2
    np.testing.assert_array_equal(_mask(saved[0]), after_alt)
    np.testing.assert_array_equal(_mask(saved[1]), _mask(second))
    assert saved[0]["value"]["brushlabels"] == ["Object"]


def test_an_undone_click_no_longer_counts(
    page: LabelingPage, api: LabelStudioApi, project: int
) -> None:
    page.open_task(project, _task(api, project, "coffee")["id"])
    page.switch_on_clicking()
    page.click(48, 35)
    page.click(85, 15)
    page.page.keyboard.press("Control+z")
    page.page.wait_for_timeout(1000)
    row = _row(page.click(48, 60))
    points = page.asked[-1]["context"]["result"]
    assert [round(point["value"]["x"]) for point in points] == [48, 48]
    assert _mask(row).any()
    assert page.suggestions() == 1


def test_after_a_reload_only_new_clicks_count(
    page: LabelingPage, api: LabelStudioApi, project: int
) -> None:
    task = _task(api, project, "dogs")
    page.open_task(project, task["id"])
    page.switch_on_clicking()
    page.click(43, 31)
    page.accept()
    page.submit()
    page.reload()
    page.wait_for_masks(1)
    page.switch_on_clicking()
    row = _row(page.click(56, 54))
    mask = _mask(row)
    height, width = mask.shape
    assert mask[int(0.54 * height), int(0.56 * width)]
    assert len(page.answers) == 2


@pytest.mark.parametrize("path", _CONFIGS, ids=lambda path: path.stem)
def test_every_label_configuration_works_in_the_page(
    page: LabelingPage, api: LabelStudioApi, backend: Server, path: Path, tmp_path: Path
) -> None:
    project = api.create_project(f"config {path.stem}", path.read_text())
    api.upload(project, [PHOTOS / "cat.jpg"])
    api.connect_backend(project, backend.url)
    task = _task(api, project, "cat")
    page.open_task(project, task["id"])
    page.switch_on_clicking()
    kind = "polygonlabels" if "polygons" in path.stem else "brushlabels"
    kinds = {kind}
    if path.stem == "several_classes_polygons":  # its labels are a control of their own
        kind, kinds = "labels", {"labels", "polygon"}
    labels = ["Person", "Animal"] if path.stem.startswith("several") else ["Object"]
    sent: list[dict[str, Any]] = []
    free = np.ones((300, 451), bool)
    for index, label in enumerate(labels):
        if (
            len(labels) > 1
            and page.store("a.names.get('label')?.selectedLabels[0]?.value") != label
        ):
            page.press_label("qas"[index])
        elif path.stem == "all_like_this":  # two labels of points mean one of masks
            page.press_label("1")
        answer = _click_pixel(page, free, np.zeros_like(free))
        assert {row["type"] for row in answer["data"]["result"]} == kinds
        rows = [row for row in answer["data"]["result"] if row["type"] == kind]
        assert all(row["value"][kind] == [label] for row in rows)
        free &= ~_shown(rows)  # a click on an accepted mask would select it
        sent += rows
        page.accept()
        page.wait_for_masks(len(sent))
    page.screenshot(Path(os.environ.get("MFP_SCREENSHOTS", tmp_path)) / f"{path.stem}.png")
    assert [mask["label"] for mask in page.masks()] == [row["value"][kind][0] for row in sent]
    page.submit()
    (annotation,) = _task(api, project, "cat")["annotations"]
    saved = [row["value"] for row in annotation["result"] if row["type"] == kind]
    assert saved == [row["value"] for row in sent]
    assert _task(api, project, "cat")["predictions"] == []


def _shown(rows: list[dict[str, Any]]) -> NDArray[np.bool_]:
    if rows[0]["type"] == "brushlabels":
        return np.any([_mask(row) for row in rows], axis=0)
    height, width = rows[0]["original_height"], rows[0]["original_width"]
    polygons = [np.array(row["value"]["points"]) / 100 * (width, height) for row in rows]
    return mask_of(polygons, height=height, width=width)
