"""Image frame -> network frame: what lies in a window, as a square of `size` pixels.

A position (x, y) in the image frame lies at ((x - left) * size / width, (y - top) * size / height)
in the network frame of a window.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.frames.window import Window
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Box, Click

_HALVED_FROM = 3  # times the network's size: an odd side then shifts less than 0.7 pixels there


def crop_to_network(image: NDArray[np.uint8], window: Window, size: int) -> NDArray[np.uint8]:
    """Return the window of an image uint8 `[H, W, 3]` resized to `[size, size, 3]`.

    Behind its border the image is mirrored. Shrinking averages areas, so that thin structures of
    large photos survive. Large windows are halved first, which is several times faster than
    averaging uneven areas of many pixels.
    """
    crop = _mirrored_crop(image, window)
    while min(crop.shape[:2]) >= _HALVED_FROM * size:
        crop = _halved(crop)
    shrinks = window.width > size or window.height > size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (size, size), interpolation=method), dtype=np.uint8)


def _mirrored_crop(image: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    top, left = max(0, window.top), max(0, window.left)
    crop = image[top : min(height, window.bottom), left : min(width, window.right)]
    above, before = top - window.top, left - window.left
    below, behind = max(0, window.bottom - height), max(0, window.right - width)
    if not any((above, below, before, behind)):
        return crop
    border = cv2.BORDER_REFLECT_101
    return np.asarray(cv2.copyMakeBorder(crop, above, below, before, behind, border), np.uint8)


def mask_to_network(mask: MaskRuns, window: Window, size: int) -> NDArray[np.float32]:
    """Return the window of a mask resized to `[size, size]`: each cell's share of it, 0..1."""
    part = mask.cropped(
        left=window.left, top=window.top, right=window.right, bottom=window.bottom
    ).mask()
    shrinks = window.width > size or window.height > size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(part.view(np.uint8) * 255, (size, size), interpolation=method)
    return np.asarray(resized, dtype=np.float32) / np.float32(255)


def box_to_network(box: Box, window: Window, size: int) -> NDArray[np.float32]:
    """Return the cells of a window that a box covers, float32 `[size, size]`, 0 or 1.

    At least one cell is covered.
    """
    covered = np.zeros((size, size), dtype=np.float32)
    x_scale, y_scale = size / window.width, size / window.height
    left, top = (box.left - window.left) * x_scale, (box.top - window.top) * y_scale
    right, bottom = (box.right - window.left) * x_scale, (box.bottom - window.top) * y_scale
    columns, rows = (_covered(*ends, size) for ends in ((left, right), (top, bottom)))
    covered[rows, columns] = 1
    return covered


def _covered(start: float, stop: float, size: int) -> slice:
    first = min(max(0, round(start)), size - 1)
    return slice(first, max(first + 1, min(size, round(stop))))


def _halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mean of every four pixels; for an odd last row or column the cells before it."""
    height, width = image.shape[:2]
    even = image[: height // 2 * 2, : width // 2 * 2]
    halved = cv2.resize(even, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    padding = ((0, height % 2), (0, width % 2), (0, 0))
    return np.asarray(np.pad(halved, padding, mode="edge"), dtype=np.uint8)


def clicks_to_network(
    clicks: Iterable[Click], window: Window, size: int
) -> list[tuple[float, float, bool]]:
    """Return the clicks as (x, y, is_positive) in the network frame; some may lie outside it."""
    x_scale, y_scale = size / window.width, size / window.height
    return [
        ((click.x - window.left) * x_scale, (click.y - window.top) * y_scale, click.is_positive)
        for click in clicks
    ]
