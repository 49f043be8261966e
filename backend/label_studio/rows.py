"""Masks -> the rows of Label Studio's results. Rows of masks are written here only.

A mask without a pixel has no row: the page could neither show nor select it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.label_studio import brush_rle
from backend.label_studio.controls import MaskControl
from backend.label_studio.regions import CROWD_NOTE
from mfp_model.masks.polygons import Polygon, polygons_of
from mfp_model.masks.runs import MaskRuns

_PERCENT_DIGITS = 5  # 0.001 pixels at 10,000 pixels
_ID_BYTES = 8

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFields:
    """What a mask's rows say beside its shape.

    Attributes:
        control: The control that the mask belongs to.
        labels: Its labels; none where the control has none.
        page: Index of the image among those of a task with several pages; None for one image.
        region_id: Id of the region whose place it takes when it is accepted; None for a new one.
        part_ids: The same for the second polygon and those behind it.
        origin: `prediction` for what the page is to count as a model's; None leaves it open.
        score: 0..1, None for none.
        order: After how many removals the object was seen; above 0 it is marked as hidden.
        is_crowd: It is a group of objects, and marked so.
        notes: Further texts for the region's details.
    """

    control: MaskControl
    labels: tuple[str, ...]
    page: int | None = None
    region_id: str | None = None
    part_ids: tuple[str, ...] = ()
    origin: str | None = None
    score: float | None = None
    order: int = 0
    is_crowd: bool = False
    notes: tuple[str, ...] = ()


def mask_rows(runs: MaskRuns, fields: RowFields, *, max_error_px: float) -> list[Row]:
    """Return a mask in the form of its control: one brush region, or a polygon for each part.

    Args:
        runs: The mask.
        fields: What the rows say beside its shape.
        max_error_px: How far a polygon may be from the mask's edge.
    """
    if fields.control.kind == "brush":
        return brush_rows(runs, fields)
    polygons = polygons_of(runs.mask(), max_error_px=max_error_px)
    return polygon_rows(polygons, fields, height=runs.height, width=runs.width)


def brush_rows(runs: MaskRuns, fields: RowFields) -> list[Row]:
    """Return a mask as a brush region, nothing for one without a pixel."""
    if not runs.rows.size:
        return []
    shape = {"format": "rle", "rle": brush_rle.encode_runs(runs)}
    region_id = fields.region_id or _new_id()
    return _rows(shape, fields, region_id=region_id, height=runs.height, width=runs.width)


def polygon_rows(
    polygons: Sequence[Polygon], fields: RowFields, *, height: int, width: int
) -> list[Row]:
    """Return a mask's parts as polygon regions, the first in the place of the edited one.

    Args:
        polygons: float64 `[n, 2]` each, x and y in pixels.
        fields: What the rows say beside the shapes.
        height: Rows of the image.
        width: Columns of the image.
    """
    ids = [fields.region_id or _new_id(), *fields.part_ids][: len(polygons)]
    ids += [_new_id() for _ in polygons[len(ids) :]]
    size = {"height": height, "width": width}
    return [
        row
        for region_id, polygon in zip(ids, polygons, strict=True)
        for row in _rows(
            {"points": _percents(polygon, **size), "closed": True},
            fields,
            region_id=region_id,
            **size,
        )
    ]


def result(
    rows: list[Row], *, score: float, version: str, polygon_iou: float | None = None
) -> dict[str, Any]:
    """Return one entry of `results`, which is one prediction.

    Args:
        rows: The regions' rows.
        score: 0..1.
        version: The model version.
        polygon_iou: IoU of the polygons with the mask, for polygons.
    """
    entry: dict[str, Any] = {"result": rows, "score": score, "model_version": version}
    return entry if polygon_iou is None else {**entry, "polygon_iou": polygon_iou}


def empty_result() -> dict[str, Any]:
    """Return an entry of `results` that shows nothing."""
    return {"result": [], "score": 0.0}


def _rows(
    shape: Mapping[str, Any], fields: RowFields, *, region_id: str, height: int, width: int
) -> list[Row]:
    """A region's rows: one, or two of one id where a generic control has the labels."""
    control = fields.control
    common: Row = {
        "id": region_id,
        "to_name": control.to_name,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
    }
    if fields.origin is not None:
        common["origin"] = fields.origin
    if fields.score is not None:
        common["score"] = fields.score
    notes = [f"hidden: seen after {fields.order} removals"] if fields.order else []
    notes += [CROWD_NOTE] if fields.is_crowd else []
    notes += fields.notes
    if notes:
        common["meta"] = {"text": notes}
    if fields.page is not None:
        common["item_index"] = fields.page
    if control.is_plain:
        return [{**common, "from_name": control.name, "type": control.kind, "value": {**shape}}]
    if control.labels_name is None:
        names = [(control.name, f"{control.kind}labels")]
    else:
        names = [(control.name, control.kind), (control.labels_name, "labels")]
    labels_key = names[-1][1]
    return [
        {
            **common,
            "from_name": name,
            "type": kind,
            "value": {**shape, labels_key: [*fields.labels]},
        }
        for name, kind in names
    ]


def _percents(polygon: Polygon, *, height: int, width: int) -> list[list[float]]:
    scale = 100 / np.array([width, height])
    percents: list[list[float]] = np.round(polygon * scale, _PERCENT_DIGITS).tolist()
    return percents


def _new_id() -> str:
    return secrets.token_urlsafe(_ID_BYTES)
