"""Where a click lands that was aimed at the deepest point of an error.

The standard protocol hits that point. People do not: they click anywhere in the region that is
wrong, more often deep inside it than near its edge.

Source for people: Antonov et al., "RClicks" (NeurIPS 2024), who collected clicks and found them
scattered around the centre that benchmarks assume. The three widths here are our own, chosen from
nearly always the middle to nearly anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.data.automatic_clicks import PixelClick
from mfp_model.masks.depths import depth

Aim = Callable[[PixelClick, NDArray[np.bool_]], PixelClick]
"""The click that is made, from the one on the deepest point and the errors of its sign `[H, W]`."""

PEOPLE = {"careful": 0.15, "ordinary": 0.35, "hasty": 0.7}
"""Groups of clickers: the standard deviation of how far from the middle, in depths; see below."""


def exact(click: PixelClick, errors: NDArray[np.bool_]) -> PixelClick:
    """Return the deepest point itself, as the standard protocol has it."""
    return click


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Jitter:
    """A random pixel around the deepest point that is wrong in the same way.

    Attributes:
        radius_px: How far from it.
        generator: Where the randomness comes from.
    """

    radius_px: float
    generator: np.random.Generator

    def __call__(self, click: PixelClick, errors: NDArray[np.bool_]) -> PixelClick:
        """Return the click that is made."""
        reach = int(self.radius_px)
        top, left = max(0, click.row - reach), max(0, click.column - reach)
        near = errors[top : click.row + reach + 1, left : click.column + reach + 1]
        rows, columns = np.nonzero(near)
        rows, columns = rows + top, columns + left
        distance = (rows - click.row) ** 2 + (columns - click.column) ** 2
        chosen = int(self.generator.choice(np.flatnonzero(distance <= self.radius_px**2)))
        return _moved(click, int(rows[chosen]), int(columns[chosen]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """A random pixel of the error's part that the deepest point lies in.

    A pixel's chance falls as a Gaussian of 1 - d, d being its depth as a share of the greatest.

    Attributes:
        spread: The Gaussian's standard deviation, as in `PEOPLE`.
        generator: Where the randomness comes from.
    """

    spread: float
    generator: np.random.Generator

    def __call__(self, click: PixelClick, errors: NDArray[np.bool_]) -> PixelClick:
        """Return the click that is made."""
        _, parts = cv2.connectedComponents(errors.astype(np.uint8), connectivity=8)
        part = parts == parts[click.row, click.column]
        depths = depth(part)
        rows, columns = np.nonzero(part)
        shallowness = 1 - depths[rows, columns] / depths.max()
        chances = np.exp(-((shallowness / self.spread) ** 2) / 2, dtype=np.float64)
        chosen = int(self.generator.choice(len(rows), p=chances / chances.sum()))
        return _moved(click, int(rows[chosen]), int(columns[chosen]))


def _moved(click: PixelClick, row: int, column: int) -> PixelClick:
    return PixelClick(row=row, column=column, is_positive=click.is_positive)
