"""All like this: the answer to an example, with every object that looks like it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from backend.answering.made import Made
from backend.images.loader import LoadedImage
from backend.label_studio.request import RegionRequest, TaskRequest
from backend.label_studio.rows import Row, RowFields, brush_rows, empty_result, polygon_rows, result
from mfp_model.finding.alike import MAX_ALIKE, find_alike
from mfp_model.finding.likeness import example_of
from mfp_model.masks.polygons import polygons_of
from mfp_model.masks.runs import MaskRuns


def alike_answer(
    task: TaskRequest,
    region: RegionRequest,
    made: Made,
    image: LoadedImage,
    turn: Callable[[], AbstractContextManager[object]],
    *,
    polygon_error_px: float,
) -> dict[str, Any]:
    """Return an entry of `results` with at most 100 objects, the surest first.

    What is clicked on is the example: the mask that is there, or else a new one, which is among
    the answer's objects then. No object covers a mask that is there.

    Args:
        task: The task.
        region: The example's clicks, and the labels that objects get.
        made: The mask that answers the clicks.
        image: The image.
        turn: What each look at the image is computed in.
        polygon_error_px: How far a polygon may be from the mask's edge.
    """
    edit, segmenter = made.edit, made.segmenter
    is_there = edit.prior is not None
    shown = made.runs if edit.prior is None else edit.prior
    if not shown.rows.size:
        return empty_result()
    mask = shown.mask()
    taken = mask if edit.others is None else mask | edit.others.mask()
    with turn():
        looks = example_of(segmenter, image.pixels, mask)
    limit = MAX_ALIKE if is_there else MAX_ALIKE - 1
    found = find_alike(segmenter, image.pixels, looks, taken=taken, limit=limit, turn=turn)
    objects = [(one.runs, one.score) for one in found]
    objects = objects if is_there else [(shown, made.score), *objects]
    rows = [
        row
        for runs, sure in objects
        for row in _rows(task, region, runs, round(sure, 4), polygon_error_px)
    ]
    mean = float(np.mean([sure for _, sure in objects])) if objects else 0.0
    return result(rows, score=round(mean, 4), version=segmenter.version)


def _rows(
    task: TaskRequest, region: RegionRequest, runs: MaskRuns, score: float, error_px: float
) -> list[Row]:
    fields = RowFields(
        control=region.control,
        labels=region.labels,
        page=task.image_index,
        origin="prediction",
        score=score,
    )
    if region.control.kind == "brush":
        return brush_rows(runs, fields)
    polygons = polygons_of(runs.mask(), max_error_px=error_px)
    return polygon_rows(polygons, fields, height=runs.height, width=runs.width)
