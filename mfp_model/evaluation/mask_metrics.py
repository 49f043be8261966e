"""What a mask is worth beside its IoU: confusion and boundary."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
_TOLERANCE = 0.008  # of the image's diagonal, how far boundaries may lie apart; Source: DAVIS


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
    outline, wanted = _boundary(mask & valid), _boundary(truth & valid)
    if not outline.any() and not wanted.any():
        return 1.0
    reach = max(1, math.ceil(_TOLERANCE * math.hypot(*mask.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near_outline, near_wanted = (
        cv2.dilate(edge.astype(np.uint8), disk).astype(np.bool_) for edge in (outline, wanted)
    )
    precision = _share(int((outline & near_wanted).sum()), int(outline.sum()), 0.0)
    recall = _share(int((wanted & near_outline).sum()), int(wanted.sum()), 0.0)
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def _boundary(mask: Mask) -> Mask:
    """Pixels of the mask with a neighbour that is not; the image's edge is none."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), dtype=np.uint8))
    return np.asarray(mask & (inner == 0), dtype=np.bool_)
