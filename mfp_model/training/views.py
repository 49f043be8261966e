"""Views of a training image: which part of it a sample shows, and where a pasted object lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mfp_model.masks.bounds import Bounds, bounds_of

_MIN_SIDE_PX = 80.0  # of a view, as inference looks at the smallest things
_MAX_SHRINK = 8.0  # how much smaller than the image a window around a click is at most
# How often a view is what inference sees: its zoom-in on a mask; a window around a click, of any
# size; the whole image or most of it.
_SHARE_ZOOM, _SHARE_WINDOW = 0.45, 0.25


def random_view(
    target: NDArray[np.bool_], rows: int, columns: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return a matrix float64 `[2, 3]` from the image to a crop of rows x columns pixels.

    Args:
        target: The object, bool `[H, W]`; one without a pixel is taken for the whole image.
        rows: Of the crop.
        columns: Of the crop.
        generator: Where the randomness comes from.
    """
    height, width = target.shape
    image = np.array([width, height], dtype=np.float64)
    bounds = bounds_of(target) or Bounds(0, 0, width, height)
    size = np.array([bounds.width, bounds.height], dtype=np.float64)
    centre = np.array([bounds.left, bounds.top]) + size / 2
    kind = generator.random()
    if kind < _SHARE_ZOOM:  # over the image's border, too
        extent = np.maximum(size * generator.uniform(1.0, 2.0, size=2), _MIN_SIDE_PX)
        centre = centre + generator.uniform(-0.2, 0.2, size=2) * extent
    elif kind < _SHARE_ZOOM + _SHARE_WINDOW:
        extent = np.maximum(image / _MAX_SHRINK ** generator.random(), _MIN_SIDE_PX)
        centre = centre + generator.uniform(-0.5, 0.5, size=2) * np.minimum(size, extent)
        if generator.random() < 0.5:
            centre = _inside(centre, extent, image)
    else:
        extent = image * generator.uniform(0.5, 1.1)
        centre = _inside(centre + extent * (0.5 - generator.random(2)), extent, image)
    extent = extent * np.exp(generator.uniform(-0.2, 0.2) * np.array([1, -1]))
    angle = generator.normal(0, 0.12)
    if generator.random() < 0.08:
        angle += np.pi / 2 * generator.integers(1, 4)
    crop = np.array([columns, rows])
    scale = crop / extent * np.array([1 if generator.random() < 0.5 else -1, 1])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.diag(scale) @ turn
    return np.hstack([linear, (crop / 2 - linear @ centre)[:, None]])


def _inside(
    centre: NDArray[np.float64], extent: NDArray[np.float64], image: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The centre moved so that the view does not leave the image where it need not."""
    free = np.maximum(image - extent, 0)
    moved: NDArray[np.float64] = np.clip(centre - extent / 2, 0, free) + extent / 2
    return moved


def random_place(
    target: NDArray[np.bool_], rows: int, columns: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return a matrix float64 `[2, 3]` that puts an object somewhere, at 0.2 to 0.7 of a crop.

    Arguments as in `random_view`; the object has a pixel.
    """
    bounds = bounds_of(target)
    assert bounds is not None, "the object has a pixel"
    crop = np.array([columns, rows])
    scale = float((generator.uniform(0.2, 0.7) * crop / (bounds.width, bounds.height)).min())
    linear = np.diag(scale * np.array([1 if generator.random() < 0.5 else -1, 1]))
    middle = np.array([bounds.left + bounds.right - 1, bounds.top + bounds.bottom - 1]) / 2
    offset = generator.uniform(0.1, 0.9, size=2) * crop - linear @ middle
    return np.hstack([linear, offset[:, None]])
