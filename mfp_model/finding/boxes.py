"""Boxes that are there already -> the masks of what lies in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.errors import ConfigError, PromptError
from mfp_model.masks.specks import remove_specks
from mfp_model.prompts import Box
from mfp_model.segmenter import Segmenter

_GROWTH = 0.1  # of a box's sides, how far over its edge a mask may reach
_SUBPIXELS = 8  # bits behind the point in which OpenCV takes corners

Corners = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxedMask:
    """The mask of what lies in a box.

    Attributes:
        mask: bool `[H, W]`; it may be empty.
        box_iou: IoU of the box with the mask's own, in the box's direction; 0 for an empty mask.
    """

    mask: NDArray[np.bool_]
    box_iou: float


def check_knows_boxes(segmenter: Segmenter) -> None:
    """Refuse a segmenter that understands clicks only.

    Raises:
        ConfigError: It does not know boxes.
    """
    if Box not in segmenter.prompt_kinds:
        raise ConfigError(
            f"{segmenter.version}: these weights know no boxes; expected some that do, such as "
            "the shipped ones"
        )


def mask_in_box(segmenter: Segmenter, image: NDArray[np.uint8], corners: Corners) -> BoxedMask:
    """Return the mask of what lies in a box, which may be turned.

    A turned box is shown to the segmenter as the upright one around it. What its mask has outside
    of the turned one, grown by a tenth, goes.

    Args:
        segmenter: One that knows boxes.
        image: RGB uint8 `[H, W, 3]`.
        corners: Of the box, float64 `[4, 2]` of x and y in pixels, in order around it.

    Raises:
        PromptError: Nothing of the box lies in the image.
    """
    height, width = image.shape[:2]
    (left, top), (right, bottom) = (
        np.clip(ends, 0, (width, height)) for ends in (corners.min(axis=0), corners.max(axis=0))
    )
    if right - left < 1 or bottom - top < 1:
        raise PromptError(
            f"box {left:.1f},{top:.1f},{right:.1f},{bottom:.1f}: expected at least a pixel of the "
            f"image's {width}x{height} in it"
        )
    box = Box(left=float(left), top=float(top), right=float(right), bottom=float(bottom))
    prediction = segmenter.segment(image, [box])
    mask = remove_specks(prediction.runs, [box]).mask() & _grown(corners, height, width)
    return BoxedMask(mask=mask, box_iou=box_iou(mask, corners))


def box_iou(mask: NDArray[np.bool_], corners: Corners) -> float:
    """Return the IoU of a box with the box around a mask that lies in the same direction.

    Args:
        mask: bool `[H, W]`.
        corners: As in `mask_in_box`; what lies out of the image does not count.
    """
    rows, columns = np.nonzero(mask)
    if not rows.size:
        return 0.0
    along = corners[1] - corners[0]
    angle = math.atan2(along[1], along[0]) if np.any(along) else 0.0
    axes = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    pixels = np.stack([columns + 0.5, rows + 0.5], axis=1) @ axes.T
    height, width = mask.shape
    inside = np.clip(corners, 0, (width, height)) if angle == 0 else corners
    given = inside @ axes.T
    own = (pixels.min(axis=0) - 0.5, pixels.max(axis=0) + 0.5)
    lows, highs = (given.min(axis=0), given.max(axis=0))
    shared = float(np.prod(np.clip(np.minimum(own[1], highs) - np.maximum(own[0], lows), 0, None)))
    either = float(np.prod(own[1] - own[0]) + np.prod(highs - lows)) - shared
    return shared / either


def _grown(corners: Corners, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels of a box that is a tenth larger in both directions."""
    middle = corners.mean(axis=0)
    larger = middle + (corners - middle) * (1 + 2 * _GROWTH)
    canvas = np.zeros((height, width), dtype=np.uint8)
    points = np.round((larger - 0.5) * (1 << _SUBPIXELS)).astype(np.int64)
    points = np.clip(points, -(1 << 30), 1 << 30).astype(np.int32)
    cv2.fillPoly(canvas, [points], 1, shift=_SUBPIXELS)
    return canvas > 0
