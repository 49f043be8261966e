"""Correct instead of redraw: masks that are there already are clicked into shape on the page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backend.demo.processes import Server
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.brush_rle import decode, encode
from mfp_model.data.automatic_clicks import next_click
from mfp_model.masks.bounds import mask_iou
from mfp_model.masks.polygons import mask_of, polygons_of
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.label_studio_calls import add_annotation, add_prediction, tasks_of
from tests.e2e.labeling_page import LabelingPage

pytestmark = pytest.mark.browser

_FIG = (53.0, 50.0)  # in the bowl


@pytest.fixture(scope="module")
def bowl() -> NDArray[np.bool_]:
    return np.asarray(Image.open(ROOT / "tests" / "data" / "bowl_mask.png")) > 0


def _without_a_part(truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    damaged = truth.astype(np.uint8)
    height, width = truth.shape
    cv2.ellipse(damaged, (int(0.9 * width), int(0.62 * height)), (150, 210), 0, 0, 360, 0, -1)
    return damaged > 0


def _with_too_much(truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    damaged = truth.astype(np.uint8)
    height, width = truth.shape
    cv2.ellipse(damaged, (int(0.32 * width), int(0.2 * height)), (170, 110), 0, 0, 360, 1, -1)
    return damaged > 0


def _row(name: str, mask: NDArray[np.bool_]) -> dict[str, Any]:
    height, width = mask.shape
    return {
        "id": name,
        "type": "brushlabels",
        "from_name": "mask",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": encode(mask), "brushlabels": ["Object"]},
    }


def _task(api: LabelStudioApi, backend: Server, config: str) -> tuple[int, int]:
    project = api.create_project("edit", (ROOT / "label_config" / config).read_text())
    api.upload(project, [PHOTOS / "bowl.jpg"])
    api.connect_backend(project, backend.url)
    return project, int(tasks_of(api, project)[0]["id"])


def _mask(row: dict[str, Any]) -> NDArray[np.bool_]:
    height, width = row["original_height"], row["original_width"]
    if row["type"] == "polygonlabels":
        corners = np.array(row["value"]["points"]) / 100 * [width, height]
        return mask_of([corners], height=height, width=width)
    return decode(row["value"]["rle"], height=height, width=width) > 127


def _saved(api: LabelStudioApi, project: int) -> list[dict[str, Any]]:
    (annotation,) = tasks_of(api, project)[0]["annotations"]
    return [row for row in annotation["result"] if row["type"] in ("brushlabels", "polygonlabels")]


def _click(page: LabelingPage, truth: NDArray[np.bool_], mask: NDArray[np.bool_]) -> Any:  # noqa: ANN401
    click = next_click(truth, mask)
    assert click is not None
    height, width = truth.shape
    place = (click.column + 0.5) / width * 100, (click.row + 0.5) / height * 100
    is_on_mask = bool(mask[click.row, click.column])
    return page.click(*place, alt=not click.is_positive, on_mask=is_on_mask)


def _shot(page: LabelingPage, tmp_path: Path, name: str) -> None:
    page.page.mouse.move(2, 2)  # or a hint covers the image
    page.page.wait_for_timeout(300)
    page.screenshot(Path(os.environ.get("MFP_SCREENSHOTS", tmp_path)) / f"{name}.png")


def test_a_mask_of_an_earlier_session_gets_its_missing_part(
    page: LabelingPage,
    api: LabelStudioApi,
    backend: Server,
    bowl: NDArray[np.bool_],
    tmp_path: Path,
) -> None:
    project, task = _task(api, backend, "one_class.xml")
    prior = _without_a_part(bowl)
    add_annotation(api, task, [_row("earlier", prior)])
    page.open_task(project, task)
    page.wait_for_masks(1)
    page.switch_on_clicking()
    _shot(page, tmp_path, "edit-1-before")
    page.click(*_FIG, on_mask=True)  # picks the mask up
    answer = _click(page, bowl, prior)
    (row,) = answer["data"]["result"]
    assert row["id"] == "earlier"
    edited = _mask(row)
    everywhere = np.ones_like(bowl)
    assert mask_iou(edited, bowl, everywhere) > max(0.95, mask_iou(prior, bowl, everywhere) + 0.05)
    far = np.zeros_like(bowl)
    far[:, : bowl.shape[1] // 2] = True
    np.testing.assert_array_equal(edited[far], prior[far])
    _shot(page, tmp_path, "edit-2-clicked")
    page.accept()
    assert [mask["id"] for mask in page.masks()] == ["earlier"]
    _shot(page, tmp_path, "edit-3-accepted")
    page.update()
    (saved,) = _saved(api, project)
    assert saved["id"] == "earlier"
    np.testing.assert_array_equal(_mask(saved), edited)
    page.reload()
    page.wait_for_masks(1)


def test_what_was_said_of_a_mask_stays_when_it_is_edited(
    page: LabelingPage, api: LabelStudioApi, backend: Server, bowl: NDArray[np.bool_]
) -> None:
    config = (ROOT / "label_config" / "one_class.xml").read_text()
    choices = (
        '<Choices name="state" toName="image" perRegion="true"><Choice value="bad"/></Choices>'
    )
    project = api.create_project("said", config.replace("</View>", f"{choices}</View>"))
    api.upload(project, [PHOTOS / "bowl.jpg"])
    api.connect_backend(project, backend.url)
    task = int(tasks_of(api, project)[0]["id"])
    row = _row("earlier", _without_a_part(bowl)) | {"meta": {"text": ["mine"]}}
    said = row | {"type": "choices", "from_name": "state", "value": {"choices": ["bad"]}}
    add_annotation(api, task, [row, said])
    page.open_task(project, task)
    page.wait_for_masks(1)
    page.switch_on_clicking()
    page.click(*_FIG, on_mask=True)
    page.accept()
    page.update()
    (annotation,) = tasks_of(api, project)[0]["annotations"]
    mask, choice = annotation["result"]
    assert (mask["id"], mask["meta"]) == ("earlier", {"text": ["mine"]})
    assert (choice["id"], choice["value"]["choices"]) == ("earlier", ["bad"])


def test_too_much_of_a_prediction_goes_with_one_click_and_again_at_once(
    page: LabelingPage,
    api: LabelStudioApi,
    backend: Server,
    bowl: NDArray[np.bool_],
    tmp_path: Path,
) -> None:
    project, task = _task(api, backend, "one_class.xml")
    prior = _with_too_much(_without_a_part(bowl))
    add_prediction(
        api, task, {"result": [_row("model", prior)], "score": 0.5, "model_version": "other"}
    )
    page.open_task(project, task)
    page.wait_for_masks(1)
    page.switch_on_clicking()
    _shot(page, tmp_path, "edit-prediction-1")
    answer = page.click(33, 17, alt=True, on_mask=True)
    first = _mask(answer["data"]["result"][0])
    everywhere = np.ones_like(bowl)
    assert mask_iou(first, bowl, everywhere) > mask_iou(prior, bowl, everywhere) + 0.03
    _shot(page, tmp_path, "edit-prediction-2")
    page.accept()
    # At once, before the page has saved anything.
    page.click(*_FIG, on_mask=True)
    answer = _click(page, bowl, first)
    (row,) = answer["data"]["result"]
    assert row["id"] == "model"
    second = _mask(row)
    assert mask_iou(second, bowl, everywhere) > mask_iou(first, bowl, everywhere) + 0.03
    np.testing.assert_array_equal(second[:100, :500], first[:100, :500])
    page.accept()
    _shot(page, tmp_path, "edit-prediction-3")
    page.submit()
    (saved,) = _saved(api, project)
    np.testing.assert_array_equal(_mask(saved), second)


def test_a_polygon_is_edited_and_a_new_one_keeps_clear_of_it(
    page: LabelingPage,
    api: LabelStudioApi,
    backend: Server,
    bowl: NDArray[np.bool_],
    tmp_path: Path,
) -> None:
    project, task = _task(api, backend, "one_class_polygons.xml")
    prior = _without_a_part(bowl)
    height, width = bowl.shape
    outline = max(polygons_of(prior, max_error_px=2.0), key=len)
    row = _row("drawn", prior)
    points = (outline / [width, height] * 100).tolist()
    row |= {
        "type": "polygonlabels",
        "value": {"points": points, "closed": True, "polygonlabels": ["Object"]},
    }
    add_annotation(api, task, [row])
    page.open_task(project, task)
    page.wait_for_masks(1)
    page.switch_on_clicking()
    page.click(*_FIG, on_mask=True)
    answer = _click(page, bowl, prior)
    assert "drawn" in [region["id"] for region in answer["data"]["result"]]
    _shot(page, tmp_path, "edit-polygon-1")
    page.accept()
    page.wait_until_saved(task)
    # The bowl's shadow touches the bowl.
    answer = page.click(36, 12)
    assert "drawn" not in [region["id"] for region in answer["data"]["result"]]
    shadow = np.logical_or.reduce([_mask(region) for region in answer["data"]["result"]])
    covered = shadow & _mask(next(r for r in page_rows(page) if r["id"] == "drawn"))
    assert covered.sum() < 0.005 * shadow.sum()
    _shot(page, tmp_path, "edit-polygon-2")
    page.accept()
    page.update()
    assert len(_saved(api, project)) >= 2


def page_rows(page: LabelingPage) -> list[dict[str, Any]]:
    """What the page would save now."""
    rows: list[dict[str, Any]] = page.store("a.serializeAnnotation()")
    return rows
