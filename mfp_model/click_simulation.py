"""Automatic clicks: where a person would click next, given truth and mask.

Two users of one rule, the deepest point of the larger error region: evaluation takes the
deepest point itself, training a random one from the deep inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_DEEP_SHARE = 0.5  # "deep inside": distance to the region's edge above this share of the largest


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelClick:
    """A click on a pixel: row and column from the top left, and its sign."""

    row: int
    column: int
    is_positive: bool


def depth(region: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return each pixel's distance to the region's outside (or the map's edge), `[H, W]`.

    Source: the published evaluation: padded by one pixel, cv2 DIST_L2, exact mask.
    """
    padded = np.pad(region, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance[1:-1, 1:-1], dtype=np.float32)


def next_click(
    truth: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    *,
    valid: NDArray[np.bool_] | None = None,
    clicked: NDArray[np.bool_] | None = None,
    generator: np.random.Generator | None = None,
) -> PixelClick | None:
    """Return the next automatic click, or None where no error is left.

    Args:
        truth: The object, bool `[H, W]`.
        mask: What is segmented so far, bool `[H, W]`.
        valid: False where an error does not count (ignore label), bool `[H, W]`.
        clicked: True at pixels already clicked, which are not clicked again, bool `[H, W]`.
        generator: With one, the click is drawn from the deep inside (training); without,
            it is the deepest point, the first in row-major order (evaluation).
    """
    missed, excess = truth & ~mask, mask & ~truth
    if valid is not None:
        missed, excess = missed & valid, excess & valid
    missed_depth, excess_depth = depth(missed), depth(excess)
    if clicked is not None:
        missed_depth[clicked] = 0
        excess_depth[clicked] = 0
    is_positive = bool(missed_depth.max() > excess_depth.max())
    chosen = missed_depth if is_positive else excess_depth
    deepest = float(chosen.max())
    if deepest <= 0:
        return None
    if generator is None:
        index = int(chosen.argmax())
    else:
        index = int(generator.choice(np.flatnonzero(chosen > _DEEP_SHARE * deepest)))
    row, column = divmod(index, chosen.shape[1])
    return PixelClick(row=row, column=column, is_positive=is_positive)
