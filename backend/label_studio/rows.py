"""Masks -> Label Studio's answer to `/predict`."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np

from backend.label_studio import brush_rle
from backend.label_studio.request import RegionRequest
from mfp_model.masks.polygons import Polygon
from mfp_model.masks.runs import MaskRuns

_PERCENT_DIGITS = 5  # 0.001 pixels at 10,000 pixels


def brush_rows(
    region: RegionRequest, runs: MaskRuns, edited: str | None = None
) -> list[dict[str, Any]]:
    """Return a mask as a brush region.

    Args:
        region: What was asked.
        runs: Of the region's size; any other breaks the page for good.
        edited: Id of the region whose place it takes when it is accepted, None for none.
    """
    assert (runs.height, runs.width) == (region.height, region.width)
    return _rows(region, {"format": "rle", "rle": brush_rle.encode_runs(runs)}, edited)


def polygon_rows(
    region: RegionRequest, polygons: list[Polygon], edited: str | None = None
) -> list[dict[str, Any]]:
    """Return a mask's parts as polygon regions, the first in the place of the edited one.

    Points are in pixels.
    """
    size = {"height": region.height, "width": region.width}
    return [
        row
        for index, polygon in enumerate(polygons)
        for row in _rows(
            region,
            {"points": polygon_percents(polygon, **size), "closed": True},
            None if index else edited,
        )
    ]


def polygon_percents(polygon: Polygon, *, height: int, width: int) -> list[list[float]]:
    """Return a polygon's points, in pixels, as percent of an image."""
    scale = 100 / np.array([width, height])
    percents: list[list[float]] = np.round(polygon * scale, _PERCENT_DIGITS).tolist()
    return percents


def _rows(region: RegionRequest, shape: dict[str, Any], edited: str | None) -> list[dict[str, Any]]:
    common = {
        "id": edited or secrets.token_urlsafe(8),
        "original_width": region.width,
        "original_height": region.height,
        "image_rotation": 0,
        "origin": "prediction",
    }
    return region.control.rows(shape, label=region.label, common=common)


def result(
    rows: list[dict[str, Any]], *, score: float, version: str, polygon_iou: float | None = None
) -> dict[str, Any]:
    """Return one entry of `results`.

    Args:
        rows: The regions.
        score: 0..1.
        version: The model version.
        polygon_iou: IoU of the polygons with the mask, for polygons.
    """
    entry: dict[str, Any] = {
        "result": [{**row, "score": score} for row in rows],
        "score": score,
        "model_version": version,
    }
    return entry if polygon_iou is None else {**entry, "polygon_iou": polygon_iou}


def empty_result() -> dict[str, Any]:
    """Return an entry of `results` that shows nothing."""
    return {"result": [], "score": 0.0}
