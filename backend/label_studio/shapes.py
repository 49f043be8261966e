"""A region's shape -> its pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.label_studio.brush import brush_mask
from backend.label_studio.regions import MAX_PIXELS, MaskRegion
from mfp_model.errors import DataError, MfpError
from mfp_model.masks.rle import decode_segmentation
from mfp_model.masks.runs import MaskRuns

# The memory that filling a polygon takes grows with both.
_MAX_CORNERS = 100_000
_MAX_OUTLINE_PX = 2_000_000
_MAX_RADIUS_PX = 10_000_000
_CHORD_ERROR_PX = 0.1  # of an ellipse's polygon
# Of a corner's pixels. Percentages with five digits bring whole and half pixels back with an error,
# by which COCO's tools would fill other pixels.
_DIGITS = 3


def region_mask(region: MaskRegion) -> NDArray[np.bool_]:
    """Return the pixels of a region's shape, bool `[height, width]`.

    Raises:
        DataError: The shape is damaged.
    """
    outline = region_outline(region)
    if outline is None:
        return _brush_mask(region)
    if not len(outline):
        return np.zeros((region.height, region.width), dtype=np.bool_)
    size = {"height": region.height, "width": region.width}
    return decode_segmentation([outline.ravel().tolist()], **size)


def region_runs(region: MaskRegion) -> MaskRuns:
    """Return the pixels of a region's shape that a request carries.

    Raises:
        DataError: The shape is damaged, or its image is too large.
    """
    if region.height * region.width > MAX_PIXELS:  # the image's own limit comes later
        raise DataError(f"on {region.width}x{region.height} pixels, expected at most {MAX_PIXELS}")
    return MaskRuns.of(region_mask(region))


def region_outline(region: MaskRegion) -> NDArray[np.float64] | None:
    """Return the corners of a region's shape, float64 `[n, 2]` of x and y in pixels, to 0.001.

    The page lets shapes reach out of the image: what does is cut off at its edge, and corners
    come in where an outline crosses it. A brush has no corners: None. So has a shape that lies
    outside of the image: `[0, 2]`.

    Raises:
        DataError: The shape is damaged.
    """
    if region.kind == "brush":
        return None
    with _finite(region):
        return _outline(region)


def rectangle_corners(region: MaskRegion) -> NDArray[np.float64]:
    """Return the corners of a rectangle, turned or not, float64 `[4, 2]` of x and y in pixels.

    They lie in order around it, and may lie out of the image.

    Raises:
        DataError: The rectangle is damaged.
    """
    with _finite(region):
        corners = _rectangle(region.value, _size(region))
        if not np.isfinite(corners).all():
            raise ValueError("numbers that are not finite")
        return corners


@contextmanager
def _finite(region: MaskRegion) -> Iterator[None]:
    """Refuse what cannot be computed with; NumPy would only warn of it."""
    try:
        with np.errstate(over="raise", invalid="raise"):
            yield
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise DataError(f"{region.kind}: expected finite percentages, got {error!r:.200}") from None


def _size(region: MaskRegion) -> NDArray[np.float64]:
    return np.array([region.width, region.height], dtype=np.float64)


def _rectangle(value: Mapping[str, Any], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turned around its first corner."""
    start, extent = (
        np.array([value[x], value[y]], dtype=np.float64) / 100 * size
        for x, y in (("x", "y"), ("width", "height"))
    )
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * extent
    return np.asarray(start + corners @ _turn(float(value.get("rotation") or 0)).T)


def _brush_mask(region: MaskRegion) -> NDArray[np.bool_]:
    form = region.value.get("format")
    if form != "rle":
        raise DataError(f"brush format={form!r:.20}: expected rle")
    try:
        return brush_mask(region.value, height=region.height, width=region.width)
    except MfpError as error:
        raise DataError(str(error)) from None


def _outline(region: MaskRegion) -> NDArray[np.float64]:
    value, size = region.value, _size(region)
    if region.kind == "polygon":
        points = np.array(value["points"], dtype=np.float64).reshape(-1, 2) / 100 * size
    elif region.kind == "rectangle":
        points = _rectangle(value, size)
    else:  # turned around its centre
        centre, radii = (
            np.array([value[x], value[y]], dtype=np.float64) / 100 * size
            for x, y in (("x", "y"), ("radiusX", "radiusY"))
        )
        angles = np.linspace(0, 2 * np.pi, _n_corners(float(radii.max())), endpoint=False)
        corners = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii
        points = centre + corners @ _turn(float(value.get("rotation") or 0)).T
    if len(points) < 3 or not np.isfinite(points).all():
        raise ValueError(f"{len(points)} points")
    corners = np.round(_cut(points, size), _DIGITS)
    edges = np.abs(np.diff(corners, axis=0, append=corners[:1])).max(axis=1)
    if len(corners) > _MAX_CORNERS or edges.sum() > _MAX_OUTLINE_PX:
        raise ValueError(
            f"{len(corners)} corners, {edges.sum():.0f} pixels around, at most {_MAX_CORNERS} and "
            f"{_MAX_OUTLINE_PX}"
        )
    return corners


def _cut(corners: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of an outline's inside that is within 0..size, at one edge after the other.

    Parts that an edge separates stay joined along it, which encloses nothing.

    Source: Sutherland and Hodgman, Reentrant polygon clipping (1974).
    """
    for axis, limit, side in ((0, 0.0, 1), (0, size[0], -1), (1, 0.0, 1), (1, size[1], -1)):
        inside_by = side * (corners[:, axis] - limit)
        if (inside_by >= 0).all():
            continue
        following, then_by = np.roll(corners, -1, axis=0), np.roll(inside_by, -1)
        crosses = (inside_by >= 0) != (then_by >= 0)
        share = np.where(crosses, inside_by / np.where(crosses, inside_by - then_by, 1), 0)
        crossing = corners + share[:, None] * (following - corners)
        crossing[:, axis] = limit
        both = np.stack([corners, crossing], axis=1).reshape(-1, 2)
        corners = both[np.stack([inside_by >= 0, crosses], axis=1).ravel()]
    return corners


def _turn(degrees: float) -> NDArray[np.float64]:
    """Clockwise, as y points down."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def _n_corners(radius_px: float) -> int:
    """As many corners as keep the chords close to the ellipse."""
    if radius_px <= 1:
        return 16
    if not radius_px <= _MAX_RADIUS_PX:
        raise ValueError(f"a radius of {radius_px:g} pixels, at most {_MAX_RADIUS_PX}")
    return max(16, math.ceil(math.pi / math.acos(1 - _CHORD_ERROR_PX / radius_px)))
