"""Masks -> Label Studio's answer to `/predict`."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend import brush_rle
from backend.request import RegionRequest


def region_result(
    region: RegionRequest, mask: NDArray[np.bool_], *, score: float, version: str
) -> dict[str, Any]:
    """Return one entry of `results` with the mask as a brush region.

    Args:
        region: What was asked.
        mask: bool `[region.height, region.width]`; any other size breaks the page for good.
        score: 0..1.
        version: The model version.
    """
    assert mask.shape == (region.height, region.width)
    common = {
        "id": secrets.token_urlsafe(8),
        "to_name": region.brush.to_name,
        "original_width": region.width,
        "original_height": region.height,
        "image_rotation": 0,
        "score": score,
        "origin": "prediction",
    }
    value: dict[str, Any] = {"format": "rle", "rle": brush_rle.encode(mask)}
    labels = [region.label] if region.label is not None else []
    if region.brush.labels_name is None:
        value["brushlabels"] = labels
        rows = [{**common, "from_name": region.brush.name, "type": "brushlabels", "value": value}]
    else:
        value["labels"] = labels
        names = ((region.brush.name, "brush"), (region.brush.labels_name, "labels"))
        rows = [{**common, "from_name": name, "type": kind, "value": value} for name, kind in names]
    return {"result": rows, "score": score, "model_version": version}


def empty_result() -> dict[str, Any]:
    """Return an entry of `results` that shows nothing."""
    return {"result": [], "score": 0.0}
