"""A region's shape -> COCO segmentation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.label_studio.brush import brush_alpha
from backend.label_studio.regions import MaskRegion
from mfp_model.errors import DataError, MfpError
from mfp_model.masks.polygons import polygon_iou, polygons_of
from mfp_model.masks.rle import decode_segmentation, encode_mask

ALPHA_THRESHOLD = 128  # the eraser's soft edge leaves 1 to 254


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """What COCO holds of a shape.

    Attributes:
        segmentation: COCO RLE, compressed, or polygons.
        area: Pixels.
        bbox: x, y, width, height in pixels.
        polygon_iou: IoU of the polygons, as COCO's tools fill them, with the exact mask; None
            for RLE.
    """

    segmentation: Any
    area: int
    bbox: list[float]
    polygon_iou: float | None = None


def segmentation_of(region: MaskRegion, *, polygon_error_px: float | None = None) -> Segmentation:
    """Return a region's shape as COCO holds it.

    Args:
        region: The region.
        polygon_error_px: How far polygons may be from a brush mask's edge; None for RLE. Shapes
            that are polygons already stay as they are.

    Raises:
        DataError: The shape is damaged, or covers no pixel.
    """
    mask, outline = _mask_and_outline(region)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise DataError(f"{region.kind} without a pixel")
    box = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
    segmentation, iou = _as_coco(mask, outline, polygon_error_px)
    return Segmentation(
        segmentation=segmentation,
        area=int(mask.sum()),
        bbox=[float(value) for value in box],
        polygon_iou=iou,
    )


def region_mask(region: MaskRegion) -> NDArray[np.bool_]:
    """Return the pixels of a region's shape, bool `[height, width]`.

    Raises:
        DataError: The shape is damaged.
    """
    return _mask_and_outline(region)[0]


def _mask_and_outline(
    region: MaskRegion,
) -> tuple[NDArray[np.bool_], NDArray[np.float64] | None]:
    """The pixels, and the outline where the shape has one."""
    if region.kind == "brush":
        return _brush_mask(region), None
    try:
        outline = _outline(region)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{region.kind}: expected finite percentages, got {error!r}") from None
    height, width = region.height, region.width
    return decode_segmentation([outline.ravel().tolist()], height=height, width=width), outline


def _as_coco(
    mask: NDArray[np.bool_], outline: NDArray[np.float64] | None, polygon_error_px: float | None
) -> tuple[Any, float | None]:
    if polygon_error_px is None:
        return encode_mask(mask), None
    if outline is not None:
        return [np.round(outline, 3).ravel().tolist()], 1.0
    polygons = polygons_of(mask, max_error_px=polygon_error_px)
    iou = round(polygon_iou(polygons, mask), 6)
    return [np.round(polygon, 3).ravel().tolist() for polygon in polygons], iou


def _brush_mask(region: MaskRegion) -> NDArray[np.bool_]:
    form = region.value.get("format")
    if form != "rle":
        raise DataError(f"brush format={form!r:.20}: expected rle")
    try:
        alpha = brush_alpha(region.value, height=region.height, width=region.width)
    except MfpError as error:
        raise DataError(str(error)) from None
    return alpha >= ALPHA_THRESHOLD


def _outline(region: MaskRegion) -> NDArray[np.float64]:
    """Corners float64 `[n, 2]` in pixels."""
    value, size = region.value, np.array([region.width, region.height], dtype=np.float64)
    if region.kind == "polygon":
        points = np.array(value["points"], dtype=np.float64).reshape(-1, 2) / 100 * size
    else:
        start = np.array([value["x"], value["y"]], dtype=np.float64) / 100 * size
        turn = _turn(float(value.get("rotation") or 0))
        if region.kind == "rectangle":  # turned around its first corner
            extent = np.array([value["width"], value["height"]], dtype=np.float64) / 100 * size
            corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * extent
        else:  # around its centre
            radii = np.array([value["radiusX"], value["radiusY"]], dtype=np.float64) / 100 * size
            angles = np.linspace(0, 2 * np.pi, _n_corners(float(radii.max())), endpoint=False)
            corners = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii
        points = start + corners @ turn.T
    if len(points) < 3 or not np.isfinite(points).all():
        raise ValueError(f"{len(points)} points")
    return np.clip(points, 0, size)  # the page lets shapes reach out of the image


def _turn(degrees: float) -> NDArray[np.float64]:
    """Clockwise, as y points down."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def _n_corners(radius_px: float) -> int:
    """As many that the chords stay within a tenth of a pixel of the ellipse."""
    if radius_px <= 1:
        return 16
    return max(16, math.ceil(math.pi / math.acos(1 - 0.1 / radius_px)))
