"""A region's shape -> COCO segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.label_studio.regions import MaskRegion
from backend.label_studio.shapes import region_mask, region_outline
from mfp_model.errors import DataError
from mfp_model.masks.bounds import bounds_of
from mfp_model.masks.polygons import polygon_iou, polygons_of
from mfp_model.masks.rle import encode_mask


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
            that are polygons already stay as they are. Crowds are RLE, as COCO wants them.

    Raises:
        DataError: The shape is damaged, or covers no pixel.
    """
    mask, outline = region_mask(region), region_outline(region)
    bounds = bounds_of(mask)
    if bounds is None:
        raise DataError(f"{region.kind} without a pixel")
    error_px = None if region.is_crowd else polygon_error_px
    segmentation, iou = _as_coco(mask, outline, error_px)
    return Segmentation(
        segmentation=segmentation,
        area=int(mask.sum()),
        bbox=[float(x) for x in (bounds.left, bounds.top, bounds.width, bounds.height)],
        polygon_iou=iou,
    )


def _as_coco(
    mask: NDArray[np.bool_], outline: NDArray[np.float64] | None, polygon_error_px: float | None
) -> tuple[Any, float | None]:
    if polygon_error_px is None:
        return encode_mask(mask), None
    if outline is not None:  # of which the mask was made, by these very numbers
        return [outline.ravel().tolist()], 1.0
    polygons = polygons_of(mask, max_error_px=polygon_error_px)
    iou = round(polygon_iou(polygons, mask), 6)
    return [np.round(polygon, 3).ravel().tolist() for polygon in polygons], iou
