"""How deep in a mask its pixels lie: their distance to what lies outside."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.errors import PromptError
from mfp_model.masks.bounds import bounds_of
from mfp_model.prompts import Click


def depth(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return each pixel's distance to the mask's outside (or the image's border), `[H, W]`.

    Pixels that lie equally deep have the same bytes, so that the first of the deepest is always
    the same one. OpenCV would leave this to IPP, whose last digit depends on where in memory the
    mask lies.

    Args:
        mask: bool `[H, W]`.

    Source: the published evaluation of MFP: padded by one pixel, cv2 DIST_L2, exact mask.
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    uses_ipp = cv2.ipp.useIPP()  # of this thread
    cv2.ipp.setUseIPP(False)
    try:
        distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    finally:
        cv2.ipp.setUseIPP(uses_ipp)
    return np.asarray(distance[1:-1, 1:-1], dtype=np.float32)


def deepest_click(mask: NDArray[np.bool_]) -> Click:
    """Return a click on the middle of a mask's deepest pixel, the first of several.

    Args:
        mask: bool `[H, W]` with at least one pixel.

    Raises:
        PromptError: It has none.
    """
    bounds = bounds_of(mask)
    if bounds is None:
        raise PromptError("mask: expected at least one pixel, got none")
    inner = depth(mask[bounds.place])
    row, column = divmod(int(inner.argmax()), inner.shape[1])
    return Click(x=bounds.left + column + 0.5, y=bounds.top + row + 0.5)
