"""Clicks and strokes -> seeds: pixels that must be object, and pixels that must not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfp_model.masks.rle import stroke_mask
from mfp_model.prompts import Box, Click, Prompt, Stroke

OBJECT, BACKGROUND = 1, -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seeds:
    """Seeded pixels of an image, each once.

    Attributes:
        height: Rows of the image.
        width: Columns of the image.
        rows: int64 `[n]`.
        columns: int64 `[n]`.
        signs: int8 `[n]`, `OBJECT` or `BACKGROUND`.
    """

    height: int
    width: int
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    signs: NDArray[np.int8]

    def on(self, height: int, width: int) -> NDArray[np.int8]:
        """Return a map `[height, width]` of another size: a seed's sign, 0 between them.

        Where both signs fall into one cell, the seed that came last counts.
        """
        seeded = np.zeros((height, width), dtype=np.int8)
        rows = self.rows * height // self.height
        columns = self.columns * width // self.width
        seeded[rows, columns] = self.signs
        return seeded


def seeds_of(prompts: Sequence[Prompt], *, height: int, width: int, radius: float) -> Seeds:
    """Return the seeds of clicks and strokes; where signs overlap, the newer one counts.

    A click's own pixel is a seed for sure, its surroundings only where no other click lies:
    so a click never loses its pixel to a neighbour's disk.

    Args:
        prompts: In the image frame, inside the image; a box seeds nothing.
        height: Rows of the image.
        width: Columns of the image.
        radius: Of the disk around a click, in pixels.
    """
    places: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]  # a box alone seeds nothing
    signs: list[NDArray[np.int8]] = [np.empty(0, dtype=np.int8)]
    marks = [prompt for prompt in prompts if not isinstance(prompt, Box)]
    clicks = [mark for mark in marks if isinstance(mark, Click)]
    for mark in [*clicks, *marks]:
        is_core = len(places) > len(clicks)
        if isinstance(mark, Stroke):
            pixels = _painted(mark)
        else:
            pixels = _disk(mark, height, width, 0.0 if is_core else radius)
        places.append(pixels)
        sign = OBJECT if mark.is_positive else BACKGROUND
        signs.append(np.full(len(pixels), sign, dtype=np.int8))
    # Of each pixel's signs the last one: unique keeps the first of the reversed list.
    newest_first = np.concatenate(places)[::-1]
    seeded, first = np.unique(newest_first, return_index=True)
    order = np.argsort(-first)  # oldest first again
    rows, columns = np.divmod(seeded[order], width)
    return Seeds(
        height=height,
        width=width,
        rows=rows,
        columns=columns,
        signs=np.concatenate(signs)[::-1][first[order]],
    )


def _painted(stroke: Stroke) -> NDArray[np.int64]:
    """Flat indices of the pixels of a stroke."""
    return np.flatnonzero(stroke_mask(stroke)).astype(np.int64)


def _disk(click: Click, height: int, width: int, radius: float) -> NDArray[np.int64]:
    """Flat indices of the pixels around a click, its own always among them."""
    row, column = click.pixel(height=height, width=width)
    reach = int(radius)
    rows = np.arange(max(0, row - reach), min(height, row + reach + 1))[:, None]
    columns = np.arange(max(0, column - reach), min(width, column + reach + 1))
    inside = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return np.asarray((rows * width + columns)[inside], dtype=np.int64)
