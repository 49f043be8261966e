"""Specks: parts and holes of a mask too small to be meant."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.clicks import Click
from mfp_model.rle import decode_segmentation


def remove_specks(
    mask: NDArray[np.bool_], clicks: Sequence[Click], *, share: float
) -> NDArray[np.bool_]:
    """Return the mask without small parts and small holes; those with a click stay.

    Args:
        mask: bool `[H, W]`, image frame.
        clicks: Clicks in the image frame; a part under a positive one and a hole under a
            negative one were meant. Where a stroke was painted nothing changes.
        share: What is smaller than this share of the largest part goes; 0 keeps everything.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if share <= 0 or rows.size == 0:
        return mask
    # One pixel more on each side, so that what lies around the object counts as one region.
    top, bottom = rows[0], rows[-1] + 1
    left, right = columns[0], columns[-1] + 1
    inner = np.pad(mask[top:bottom, left:right], 1)
    positions = [(int(c.y) - top + 1, int(c.x) - left + 1, c.is_positive) for c in clicks]
    inner, largest = _without_small_parts(inner, positions, True, share, 0.0)
    filled, _ = _without_small_parts(~inner, positions, False, share, largest)
    cleaned = mask.copy()
    cleaned[top:bottom, left:right] = ~filled[1:-1, 1:-1]
    return _with_strokes(cleaned, mask, clicks)


def _with_strokes(
    cleaned: NDArray[np.bool_], mask: NDArray[np.bool_], clicks: Sequence[Click]
) -> NDArray[np.bool_]:
    """The cleaned mask, as it was where somebody painted."""
    height, width = mask.shape
    for click in clicks:
        if click.stroke is not None:
            rle = {"size": [height, width], "counts": click.stroke.counts}
            painted = decode_segmentation(rle, height=height, width=width)
            cleaned[painted] = mask[painted]
    return cleaned


def _without_small_parts(
    region: NDArray[np.bool_],
    positions: Sequence[tuple[int, int, bool]],
    sign: bool,
    share: float,
    reference: float,
) -> tuple[NDArray[np.bool_], float]:
    """The region without its small parts, and the area that was the measure.

    The measure is `reference`, or the largest part's area where that is 0. Parts under a click
    of this sign stay.
    """
    n_parts, labels, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0
    measure = reference or float(areas.max())
    keeps = areas >= share * measure
    keeps[0] = False
    for row, column, is_positive in positions:
        inside = 0 <= row < region.shape[0] and 0 <= column < region.shape[1]
        if is_positive == sign and inside and labels[row, column]:
            keeps[labels[row, column]] = True
    if keeps[1:].all():
        return region, measure
    return keeps[labels], measure
