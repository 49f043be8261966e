"""Masks as outlines that tools which fill whole pixels fill to the very same mask.

OpenCV's `fillPoly`, and so YOLO's tools, fill the pixels on an outline, too. One along the pixels'
edges would gain a column on the right and a row below. So these run through the pixels at a mask's
edge. Corners become whole pixels before: some tools round, others cut fractions off. So fractions
are below one half, the smaller the further left and up the mask's edge is.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.masks.bounds import bounds_of
from mfp_model.masks.polygons import Polygon, simplified

_LEAST_PX, _MOST_PX = 0.05, 0.45  # fractions that survive writing, reading, rounding, cutting off


def pixel_outlines(mask: NDArray[np.bool_], *, max_error_px: float) -> list[Polygon]:
    """Return the outlines of a mask's parts and holes; the largest part's first.

        . # #       (1.05, 0.05) (1.05, 1.45) (2.45, 1.45) (2.45, 0.05)
        . # #

    Parts may touch at corners. A part of one or two pixels has its corners several times, for
    tools that want three.

    Args:
        mask: bool `[H, W]`.
        max_error_px: How far an outline may be moved by simplification.

    Returns:
        Outlines float64 `[n, 2]` of x and y in pixels, none for no pixel.
    """
    bounds = bounds_of(mask)
    if bounds is None:
        return []
    inside = np.pad(mask[bounds.place], 1)
    contours, hierarchy = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    is_part = hierarchy[0, :, 3] < 0
    order = sorted(range(len(contours)), key=lambda n: (not is_part[n], -len(contours[n])))
    offset = np.array([bounds.left, bounds.top]) - 1
    return [_outwards(_fewer(contours[n][:, 0], max_error_px), inside) + offset for n in order]


def filled(outlines: list[Polygon], *, height: int, width: int) -> NDArray[np.bool_]:
    """Return what tools that fill whole pixels make of outlines, by the even-odd rule.

    Args:
        outlines: As from `pixel_outlines`.
        height: Rows of the mask.
        width: Columns of the mask.
    """
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [outline.astype(np.int32) for outline in outlines], 1)
    return canvas > 0


def _fewer(ring: NDArray[Any], max_error_px: float) -> NDArray[np.int64]:
    """The pixels of a ring at which it turns, less those that the error allows to leave out."""
    steps = np.roll(ring, -1, axis=0) - ring
    turns = ring[(steps != np.roll(steps, 1, axis=0)).any(axis=1)]
    fewer = simplified(turns.astype(np.float64), max_error_px) if len(turns) > 3 else ring
    return np.resize(fewer, (max(len(fewer), 3), 2)).astype(np.int64)


def _outwards(ring: NDArray[np.int64], inside: NDArray[np.bool_]) -> Polygon:
    """The place in each pixel that is nearest to what lies beside the mask."""
    x, y = ring.T
    right = inside[y, x - 1].astype(np.float64) - inside[y, x + 1]
    below = inside[y - 1, x].astype(np.float64) - inside[y + 1, x]
    shares = (np.stack([right, below], axis=1) + 1) / 2
    return ring + _LEAST_PX + shares * (_MOST_PX - _LEAST_PX)
