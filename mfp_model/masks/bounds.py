"""Where a mask lies, and how much of two masks or rectangles is the same."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.prompts import Box


class Rectangle(Protocol):
    """What has four sides, such as `Bounds`, `Box` and `Window`."""

    @property
    def left(self) -> float:
        """Where it begins across."""

    @property
    def top(self) -> float:
        """Where it begins down."""

    @property
    def right(self) -> float:
        """Where it ends across."""

    @property
    def bottom(self) -> float:
        """Where it ends down."""


class Bounds(NamedTuple):
    """The rectangle around a mask, in whole pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns in it."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows in it."""
        return self.bottom - self.top

    @property
    def box(self) -> Box:
        """The same as a prompt."""
        return Box(**{side: float(at) for side, at in self._asdict().items()})

    @property
    def place(self) -> tuple[slice, slice]:
        """What cuts it out of an array `[H, W, ...]`."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def bounds_of(mask: NDArray[np.bool_] | NDArray[np.uint8]) -> Bounds | None:
    """Return the rectangle around the pixels of a mask `[H, W]`, or None without a pixel.

    . # .
    . # #       left 1, top 0, right 3, bottom 2
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return Bounds(left, top, left + width, top + height) if width else None


def rectangle_iou(first: Rectangle, second: Rectangle) -> float:
    """Return the intersection over union of two rectangles, one of which has an area."""
    across = max(0, min(first.right, second.right) - max(first.left, second.left))
    down = max(0, min(first.bottom, second.bottom) - max(first.top, second.top))
    shared = across * down
    return shared / (_area(first) + _area(second) - shared)


def _area(rectangle: Rectangle) -> float:
    return (rectangle.right - rectangle.left) * (rectangle.bottom - rectangle.top)


def mask_iou(
    mask: NDArray[np.bool_], other: NDArray[np.bool_], valid: NDArray[np.bool_] | None = None
) -> float:
    """Return the intersection over union of two masks of one size; 1 where both are empty.

    Args:
        mask: bool `[H, W]`.
        other: bool `[H, W]`.
        valid: Where pixels count, bool `[H, W]`; None for everywhere.
    """
    shared: Any = mask & other
    either: Any = mask | other
    if valid is not None:
        shared, either = shared & valid, either & valid
    n_either = int(np.count_nonzero(either))
    return int(np.count_nonzero(shared)) / n_either if n_either else 1.0
