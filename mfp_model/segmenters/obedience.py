"""A click does what it says, whatever the network answers.

A positive click's pixel is in the mask, a negative one's is not. Where the probability map says
otherwise, the part of the image under the click changes sides with it: the pixels around it of
nearly its colour, as a flood fill finds them, no further than half of the way to the next click of
the other sign. Of two clicks that lie too close for the map to tell them apart the newer counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.prediction import MASK_THRESHOLD

NetworkClick = tuple[float, float, bool]
"""x, y and is_positive in the network frame."""

_COLOUR = 10  # of 255 in each channel: what is taken for the click's colour
_REACH = 0.06  # of the window's side, how far the part reaches at most
_SURE = 0.25  # how far from the threshold the part's probabilities are put


def obeyed(
    values: NDArray[np.float32], crop: NDArray[np.uint8], clicks: Sequence[NetworkClick]
) -> NDArray[np.float32]:
    """Return the probability map of a window, changed where it disobeys a click.

    Args:
        values: Probabilities float32 `[S, S]`, network frame.
        crop: What the network saw, RGB uint8 `[S, S, 3]`.
        clicks: Middles of the clicked pixels, oldest first, network frame; those outside the
            window do not count.
    """
    size = len(values)
    inside = [click for click in clicks if 0 <= click[0] <= size and 0 <= click[1] <= size]
    changed = values
    for index, click in enumerate(inside):
        if _is_obeyed(changed, click):
            continue
        opposite = [other for other in inside if other[2] != click[2]]
        part = _part(crop, click, opposite) & ((changed > MASK_THRESHOLD) != click[2])
        for other in inside[:index]:
            if other[2] != click[2]:
                part[_cells(other, size)] = False
        part[_cells(click, size)] = True
        sure = MASK_THRESHOLD + (_SURE if click[2] else -_SURE)
        changed = np.where(part, np.float32(sure), changed)
    return changed


def _is_obeyed(values: NDArray[np.float32], click: NetworkClick) -> bool:
    """Whether all cells that the click's pixel is interpolated from are on its side."""
    return bool(((values[_cells(click, len(values))] > MASK_THRESHOLD) == click[2]).all())


def _cells(click: NetworkClick, size: int) -> tuple[slice, slice]:
    """The two by two cells around a position, fewer at the window's edge."""
    columns, rows = (math.floor(x - 0.5) for x in click[:2])
    return tuple(  # type: ignore[return-value]
        slice(min(size - 1, max(0, start)), max(1, min(size, start + 2)))
        for start in (rows, columns)
    )


def _part(
    crop: NDArray[np.uint8], click: NetworkClick, opposite: Sequence[NetworkClick]
) -> NDArray[np.bool_]:
    """The part of the image that a click lies on, bool `[S, S]`."""
    size = len(crop)
    column, row = (min(size - 1, int(x)) for x in click[:2])
    filled = np.zeros((size + 2, size + 2), dtype=np.uint8)
    tolerance = (_COLOUR,) * 3
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
    smooth = cv2.medianBlur(crop, 3)
    cv2.floodFill(smooth, filled, (column, row), (0, 0, 0), tolerance, tolerance, flags)
    away = [math.hypot(x - click[0], y - click[1]) / 2 for x, y, _ in opposite]
    reach = min([_REACH * size, *away])
    rows, columns = np.ogrid[:size, :size]
    is_near = (columns + 0.5 - click[0]) ** 2 + (rows + 0.5 - click[1]) ** 2 <= reach**2
    return np.asarray((filled[1:-1, 1:-1] > 0) & is_near)
