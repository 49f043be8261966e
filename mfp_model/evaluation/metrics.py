"""What a mask is worth beside its IoU: confusion, boundary, and pictures of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.prompts import Click

Mask = NDArray[np.bool_]
_TOLERANCE = 0.008  # of the image's diagonal, how far boundaries may lie apart; Source: DAVIS
_POSITIVE, _NEGATIVE = (60, 220, 60), (240, 60, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often truth (first word) and mask (second) say object or background, as pixel counts.

    Attributes:
        object_object: Found.
        object_background: Missed.
        background_object: Too much.
        background_background: Left alone.
    """

    object_object: int
    object_background: int
    background_object: int
    background_background: int

    @staticmethod
    def of(mask: Mask, truth: Mask, valid: Mask) -> Confusion:
        """Return the counts over the pixels that are `valid`, all bool `[H, W]`."""
        return Confusion(
            object_object=int((truth & mask & valid).sum()),
            object_background=int((truth & ~mask & valid).sum()),
            background_object=int((~truth & mask & valid).sum()),
            background_background=int((~truth & ~mask & valid).sum()),
        )

    @property
    def dice(self) -> float:
        """Twice the common pixels over the sum of both; 1 where both are empty."""
        common = 2 * self.object_object
        return _share(common, common + self.object_background + self.background_object, 1.0)

    @property
    def precision(self) -> float:
        """Share of the mask that is object; 1 for an empty mask."""
        return _share(self.object_object, self.object_object + self.background_object, 1.0)

    @property
    def recall(self) -> float:
        """Share of the object that is in the mask; 1 for an empty object."""
        return _share(self.object_object, self.object_object + self.object_background, 1.0)

    @property
    def accuracy(self) -> float:
        """Share of the pixels that are right."""
        right = self.object_object + self.background_background
        return _share(right, right + self.object_background + self.background_object, 1.0)


def _share(part: int, whole: int, empty: float) -> float:
    return part / whole if whole else empty


def boundary_f(mask: Mask, truth: Mask, valid: Mask) -> float:
    """Return the F-score 0..1 of the mask's boundary against the truth's.

    A boundary pixel is right where the other boundary passes within 0.8 % of the diagonal.

    Source: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object
    Segmentation" (CVPR 2016), with a disk of that radius instead of an assignment.
    """
    found, wanted = _boundary(mask & valid), _boundary(truth & valid)
    if not found.any() and not wanted.any():
        return 1.0
    reach = max(1, math.ceil(_TOLERANCE * math.hypot(*mask.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near_found, near_wanted = (
        cv2.dilate(edge.astype(np.uint8), disk).astype(np.bool_) for edge in (found, wanted)
    )
    precision = _share(int((found & near_wanted).sum()), int(found.sum()), 0.0)
    recall = _share(int((wanted & near_found).sum()), int(wanted.sum()), 0.0)
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def _boundary(mask: Mask) -> Mask:
    """Pixels of the mask with a neighbour that is not; the image's edge is none."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), dtype=np.uint8))
    return np.asarray(mask & (inner == 0), dtype=np.bool_)


def triplet(
    image: NDArray[np.uint8], clicks: Sequence[Click], truth: Mask, mask: Mask
) -> NDArray[np.uint8]:
    """Return a picture RGB uint8 `[H, 3 W, 3]`: image with clicks, truth, mask.

    Args:
        image: RGB uint8 `[H, W, 3]`.
        clicks: Green where positive, red where negative.
        truth: bool `[H, W]`.
        mask: bool `[H, W]`.
    """
    marked = image.copy()
    radius = max(2, round(0.008 * max(image.shape[:2])))
    for click in clicks:
        centre = (int(click.x), int(click.y))
        cv2.circle(marked, centre, radius + 1, (255, 255, 255), -1, cv2.LINE_AA)
        colour = _POSITIVE if click.is_positive else _NEGATIVE
        cv2.circle(marked, centre, radius, colour, -1, cv2.LINE_AA)
    greys = [np.repeat(part[..., None], 3, axis=2).astype(np.uint8) * 255 for part in (truth, mask)]
    return np.hstack([marked, *greys])
