"""Rectangles of projects and boxes of COCO folders become masks."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backend.finding.boxed_folder import mask_folder
from backend.finding.each import here
from backend.finding.project_boxes import BoxSummary, BoxTasks, ProjectBoxes
from backend.finding.storing import store_predictions
from backend.finding.task_work import outcome_of
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.brush_rle import decode
from backend.label_studio.label_config import parse_label_config
from mfp_model.data.coco import read_coco
from mfp_model.errors import DataError
from mfp_model.finding.boxes import BoxedMask, box_iou
from tests.unit.backend.finding.test_storing import Project

_SIZE = (30, 40)
_CONFIG = """<View><Image name="image" value="$image"/>
  <{kind} name="mask" toName="image"><Label value="Cat"/><Label value="Dog"/></{kind}>
  <RectangleLabels name="box" toName="image"><Label value="Cat"/><Label value="Tree"/>
  </RectangleLabels></View>"""


def _half(image: NDArray[np.uint8], corners: NDArray[np.float64]) -> BoxedMask:
    """The left half of the rectangle around a box; nothing for a box of less than 3 pixels."""
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    mask = np.zeros(image.shape[:2], np.bool_)
    if right - left >= 3:
        mask[round(top) : round(bottom), round(left) : round((left + right) / 2)] = True
    return BoxedMask(mask=mask, box_iou=box_iou(mask, corners))


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (_SIZE[1], _SIZE[0]), "blue").save(buffer, "PNG")
    return buffer.getvalue()


class _Pngs:
    def mounted(self, address: str) -> Path | None:
        return None

    def read(self, address: str, task_id: str) -> bytes:
        return _png()


def _rectangle(name: str, label: str = "Cat", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    value = {"x": 25.0, "y": 20.0, "width": 50.0, "height": 60.0, "rectanglelabels": [label]}
    return {
        "id": name,
        "type": "rectanglelabels",
        "from_name": "box",
        "to_name": "image",
        "original_width": _SIZE[1],
        "original_height": _SIZE[0],
        "value": {**value, **more.pop("value", {})},
        **more,
    }


def _task(
    number: int, *, annotated: list[Any] | None = None, predicted: list[Any] | None = None
) -> Any:  # noqa: ANN401
    def entry(rows: list[Any]) -> list[dict[str, Any]]:
        return [{"id": number, "result": rows, "score": 0.6, "model_version": "detector"}]

    return {
        "id": number,
        "data": {"image": "a.png"},
        "annotations": entry(annotated) if annotated is not None else [],
        "drafts": [],
        "predictions": entry(predicted) if predicted is not None else [],
    }


def _run(api: Project, kind: str = "BrushLabels") -> BoxSummary:
    config = parse_label_config(_CONFIG.format(kind=kind))
    boxes = ProjectBoxes(_half, config, version="v-boxes", max_megapixels=1, polygon_error_px=0.25)
    return store_predictions(
        BoxTasks(config, version="v-boxes"),
        here(partial(outcome_of, boxes, BoxSummary)),
        cast("LabelStudioApi", api),
        1,
        config,
        _Pngs(),
        batch=2,
        report=lambda: None,
    )


def test_each_rectangle_becomes_a_mask_with_its_label_and_score() -> None:
    api = Project([_task(1, predicted=[_rectangle("a", score=0.9), _rectangle("b")])])
    summary = _run(api)
    (entry,) = api.stored
    first, second = entry["result"]
    assert (first["score"], second["score"]) == (0.9, 0.6)
    assert first["value"]["brushlabels"] == ["Cat"]
    assert first["meta"] == {"text": ["box IoU 0.50"]}
    mask = decode(first["value"]["rle"], height=_SIZE[0], width=_SIZE[1]) > 0
    assert mask.sum() == 10 * 18
    assert entry["score"] == pytest.approx(0.5)  # the least box IoU: least sure first
    figures = summary.figures()
    assert (figures["masks"], figures["low"], figures["images"]) == (2, 2, 1)
    assert figures["mean_box_iou"] == pytest.approx(0.5)


def test_what_people_drew_comes_before_predictions_and_tasks_without_boxes_have_none() -> None:
    drawn = _rectangle("drawn", value={"width": 20.0})
    api = Project(
        [
            _task(1, annotated=[drawn], predicted=[_rectangle("a")]),
            _task(2, annotated=[], predicted=[_rectangle("a")]),
            _task(3),
        ]
    )
    summary = _run(api)
    assert [entry["task"] for entry in api.stored] == [1, 2]
    areas = [
        (decode(e["result"][0]["value"]["rle"], height=_SIZE[0], width=_SIZE[1]) > 0).sum()
        for e in api.stored
    ]
    assert areas == [4 * 18, 10 * 18]
    assert summary.without_boxes == 1


def test_it_goes_on_where_it_was_stopped() -> None:
    api = Project([_task(n, predicted=[_rectangle("a")]) for n in range(1, 5)])
    assert _run(api).images == 4
    again = _run(api)
    assert (again.images, again.skipped, len(api.stored)) == (0, 4, 4)


def test_a_box_that_cannot_be_used_costs_itself_only() -> None:
    rows = [
        _rectangle("tree", "Tree"),
        _rectangle("thin", value={"width": 5.0}),
        _rectangle("large", original_width=999),
        _rectangle("good"),
    ]
    api = Project([_task(1, predicted=rows)])
    summary = _run(api)
    assert [problem.split(": ")[1] for problem in summary.problems] == [
        "region tree",
        "region thin",
        "region large",
    ]
    (entry,) = api.stored
    assert (len(entry["result"]), entry["score"]) == (1, 0.0)


def test_a_polygon_control_gets_outlines_and_turned_boxes_are_turned() -> None:
    api = Project([_task(1, predicted=[_rectangle("a", value={"rotation": 90.0, "x": 60.0})])])
    assert not _run(api, "PolygonLabels").problems
    (row,) = api.stored[0]["result"]
    points = np.array(row["value"]["points"])
    assert points[:, 0].max() - points[:, 0].min() == pytest.approx(22.5, abs=3)


def _coco(folder: Path, boxes: list[Any], n_images: int = 1) -> Path:
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(1, n_images + 1):
        (folder / "images" / f"{number}.png").write_bytes(_png())
        images.append(
            {"id": number, "file_name": f"{number}.png", "width": _SIZE[1], "height": _SIZE[0]}
        )
        annotations += [
            {"id": 10 * number + n, "image_id": number, "category_id": 4, "bbox": box, "score": 0.8}
            for n, box in enumerate(boxes)
        ]
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 4, "name": "Cat"}],
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def _masks(root: Path, out: Path, seen: list[int] | None = None) -> BoxSummary:
    def make(image: NDArray[np.uint8], corners: NDArray[np.float64]) -> BoxedMask:
        if seen is not None:
            seen.append(1)
            if len(seen) == 3:
                raise KeyboardInterrupt
        return _half(image, corners)

    data = read_coco(root, wants_boxes=True)
    return mask_folder(make, data, out, version="v", max_megapixels=1, report=lambda: None)


def test_a_folders_boxes_become_masks_and_all_else_stays(tmp_path: Path) -> None:
    root = _coco(tmp_path / "boxes", [[10, 6, 20, 18]])
    summary = _masks(root, tmp_path / "out")
    (image,) = read_coco(tmp_path / "out").images
    (mask,) = image.annotations
    assert image.mask(mask).sum() == 10 * 18
    assert (mask.category, mask.id) == ("Cat", 10)
    expected = {"score": 0.8, "bbox": [10, 6, 10, 18], "given_bbox": [10, 6, 20, 18]}
    assert expected.items() <= mask.entry.items()
    assert mask.entry["box_iou"] == 0.5
    assert image.path.read_bytes() == _png()
    assert (summary.masks, summary.low) == (1, 1)


def test_a_folder_that_was_cut_goes_on(tmp_path: Path) -> None:
    root = _coco(tmp_path / "boxes", [[10, 6, 20, 18]], n_images=4)
    seen: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        _masks(root, tmp_path / "out", seen)
    assert not (tmp_path / "out").exists()
    summary = _masks(root, tmp_path / "out", seen)
    assert (len(seen), summary.skipped, summary.masks) == (5, 2, 4)


def test_pictures_of_another_folder_that_was_cut_are_not_in_it(tmp_path: Path) -> None:
    root = _coco(tmp_path / "boxes", [[10, 6, 20, 18]], n_images=4)
    with pytest.raises(KeyboardInterrupt):
        _masks(root, tmp_path / "out", [])
    _masks(_coco(tmp_path / "others", [[10, 6, 20, 18]]), tmp_path / "out")
    (image,) = read_coco(tmp_path / "out").images
    assert list(image.path.parent.iterdir()) == [image.path]


def test_boxes_that_are_none_are_named(tmp_path: Path) -> None:
    root = _coco(tmp_path / "boxes", [[10, 6, 20, 18], [1, 2, 3], [500, 0, 5, 5], [0, 0, 2, 5]])
    problems: list[str] = []
    data = read_coco(root, on_problem=problems.append, wants_boxes=True)
    assert len(problems) == 2
    summary = mask_folder(
        _half, data, tmp_path / "out", version="v", max_megapixels=1, report=lambda: None
    )
    assert summary.masks == 1
    assert "the mask is empty" in summary.problems[0]
    with pytest.raises(DataError, match="segmentation"):
        read_coco(root)


def test_a_file_of_a_name_that_is_too_long_costs_itself_only(tmp_path: Path) -> None:
    root = _coco(tmp_path / "boxes", [[10, 6, 20, 18]], n_images=2)
    content = json.loads((root / "annotations.json").read_text())
    content["images"][0]["file_name"] = "a" * 300 + ".png"
    (root / "annotations.json").write_text(json.dumps(content))
    summary = _masks(root, tmp_path / "out")
    assert summary.masks == 1
    (problem,) = summary.problems
    assert "File name too long" in problem
