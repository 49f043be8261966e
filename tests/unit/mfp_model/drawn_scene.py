"""A drawn scene of two objects, and who finds and fills them by colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mfp_model.finding.finders import Finder, FoundObject, Mask
from mfp_model.finding.inpainters import Inpainter

RED, GREEN, GREY = (220, 30, 30), (30, 200, 40), (120, 120, 120)


class ColourFinder(Finder):
    """Finds what is red and what is green."""

    version = "colours"

    def find(self, image: NDArray[np.uint8], within: Mask | None = None) -> list[FoundObject]:
        objects = []
        for score, label, colour in ((0.9, "person", RED), (0.8, "cat", GREEN)):
            mask = (np.abs(image.astype(int) - colour) < 25).all(axis=2)
            if mask.mean() > 0.005:
                objects.append(FoundObject(mask=mask, score=score, label=label))
        return objects


class GreenInpainter(Inpainter):
    """Fills what is removed as if a green square went on behind it."""

    version = "green"

    def filled(self, image: NDArray[np.uint8], hole: Mask) -> NDArray[np.uint8]:
        filled = image.copy()
        filled[hole] = GREY
        square = np.zeros_like(hole)
        square[20:60, 20:60] = True
        filled[hole & square] = GREEN
        return filled


def drawn_scene() -> NDArray[np.uint8]:
    """A red square before the right part of a green one, 80x100."""
    image = np.full((80, 100, 3), GREY, dtype=np.uint8)
    image[20:60, 20:60] = GREEN
    image[30:70, 45:90] = RED
    return image
