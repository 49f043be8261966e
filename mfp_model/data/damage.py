"""Prior masks as people bring them: the truth with something wrong.

A training sample that starts from one teaches the network to correct a mask where it is clicked
and to leave the rest as it is; an evaluation that does tells whether it can.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.masks.bounds import bounds_of

Mask = NDArray[np.uint8]


def damaged(truth: Mask, generator: np.random.Generator) -> Mask:
    """Return a prior mask uint8 `[H, W]`, 0 or 1: the truth after one or two kinds of damage.

    Args:
        truth: uint8 `[H, W]`, 0 or 1.
        generator: Where the randomness comes from.
    """
    mask = (truth > 0).astype(np.uint8)
    for _ in range(int(generator.integers(1, 3))):
        damage = _DAMAGES[int(generator.integers(len(_DAMAGES)))]
        mask = damage(mask, generator)
    return mask


def jittered_box(truth: Mask, generator: np.random.Generator) -> Mask:
    """Return the object's box as people draw it, uint8 `[H, W]`, 0 or 1; all 0 without an object.

    Each side lies up to 8 % of the box's size off, outside rather than inside.

    Args:
        truth: uint8 `[H, W]`, 0 or 1.
        generator: Where the randomness comes from.
    """
    off, box = generator.uniform(-0.03, 0.08, size=4), np.zeros_like(truth)
    bounds = bounds_of(truth)
    if bounds is not None:
        off *= (bounds.width, bounds.height, bounds.width, bounds.height)
        x_start, y_start = round(bounds.left - off[0]), round(bounds.top - off[1])
        x_stop, y_stop = round(bounds.right + off[2]), round(bounds.bottom + off[3])
        box[max(0, y_start) : max(1, y_stop), max(0, x_start) : max(1, x_stop)] = 1
    return box


def _extent(mask: Mask) -> float:
    """Side of a square with the mask's area, at least 4 pixels."""
    return max(4.0, float(np.sqrt(mask.sum(dtype=np.int64))))


def _grown(mask: Mask, generator: np.random.Generator) -> Mask:
    """Eroded or dilated, a coarse outline in either case."""
    kernel = _disk(mask, generator)
    change = cv2.dilate if generator.random() < 0.5 else cv2.erode
    return np.asarray(change(mask, kernel), dtype=np.uint8)


def _eroded(mask: Mask, generator: np.random.Generator) -> Mask:
    return np.asarray(cv2.erode(mask, _disk(mask, generator)), dtype=np.uint8)


def _disk(mask: Mask, generator: np.random.Generator) -> Mask:
    side = max(3, int(_extent(mask) * generator.uniform(0.03, 0.15)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(kernel, dtype=np.uint8)


def _shifted(mask: Mask, generator: np.random.Generator) -> Mask:
    offset = _extent(mask) * generator.uniform(-0.12, 0.12, size=2)
    matrix = np.array([[1.0, 0.0, offset[0]], [0.0, 1.0, offset[1]]])
    size = (mask.shape[1], mask.shape[0])
    return np.asarray(cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST), dtype=np.uint8)


def _blob(mask: Mask, generator: np.random.Generator, *, on: Mask) -> Mask:
    """An ellipse around a random pixel of `on`."""
    blob = np.zeros_like(mask)
    places = np.flatnonzero(on)
    if places.size:
        row, column = divmod(int(generator.choice(places)), mask.shape[1])
        half = np.maximum(2, _extent(mask) * generator.uniform(0.15, 0.5, size=2)).astype(int)
        angle = float(generator.uniform(0, 180))
        axes = (int(half[0]), int(half[1]))
        cv2.ellipse(blob, (column, row), axes, angle, 0, 360, 1, -1)
    return blob


def _part_missing(mask: Mask, generator: np.random.Generator) -> Mask:
    return np.asarray(mask & ~_blob(mask, generator, on=mask), dtype=np.uint8)


def _part_added(mask: Mask, generator: np.random.Generator) -> Mask:
    grown = np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8)), dtype=np.uint8)
    is_apart = generator.random() < 0.25
    place = np.asarray(1 - mask if is_apart else grown & ~mask, dtype=np.uint8)
    return mask | _blob(mask, generator, on=place)


def _coarse_polygon(mask: Mask, generator: np.random.Generator) -> Mask:
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    tolerance = _extent(mask) * float(generator.uniform(0.03, 0.12))
    drawn = np.zeros_like(mask)
    for outline in outlines:
        cv2.fillPoly(drawn, [cv2.approxPolyDP(outline, tolerance, True)], 1)
    return drawn


_DAMAGES = (_grown, _shifted, _part_missing, _part_added, _coarse_polygon)
DAMAGES = {
    "erosion": _eroded,
    "missing part": _part_missing,
    "added part": _part_added,
    "shift": _shifted,
    "coarse polygon": _coarse_polygon,
}
