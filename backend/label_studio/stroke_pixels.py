"""The pixels that a brush stroke covers.

The page draws a stroke as a line of some thickness with round ends. A pixel is covered where its
centre lies on that line. OpenCV draws such lines up to two pixels too thick.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mfp_model.masks.runs import MaskRuns

_CHUNK_ROWS = 200_000
_FLAT = 1e-6  # steps that go less far down go as far

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Runs = tuple[Integers, Integers, Integers]


def n_rows(line: Floats, thickness_px: float, *, height: int) -> int:
    """Return how many rows the steps of a line cover, each row counted for each step.

    Args:
        line: float64 `[n, 2]`, x and y in pixels.
        thickness_px: Of the line.
        height: Rows of the image.
    """
    top, stop = _bounds(line, thickness_px / 2, height)
    return int((stop - top).sum())


def covered_runs(line: Floats, thickness_px: float, *, height: int, width: int) -> Iterator[Runs]:
    """Yield the pixels that a line covers: rows, first columns, and columns behind the last ones.

    Args:
        line: float64 `[n, 2]`, x and y in pixels; a line of one point is a disc.
        thickness_px: Of the line.
        height: Rows of the image.
        width: Columns of the image.
    """
    radius, nothing = thickness_px / 2, MaskRuns.empty(height=height, width=width)
    tops, stops = _bounds(line, radius, height)
    total = np.cumsum(stops - tops)
    cuts = np.searchsorted(total, np.arange(_CHUNK_ROWS, int(total[-1:].sum()), _CHUNK_ROWS))
    ends = _ends(line)
    for part in np.split(np.arange(len(total)), np.unique(cuts)):
        n_each = stops[part] - tops[part]
        step = np.repeat(part, n_each)
        within = np.arange(len(step)) - np.repeat(np.cumsum(n_each) - n_each, n_each)
        rows = tops[step] + within
        first, stop = _columns(ends[0][step], ends[1][step], rows, radius)
        runs = nothing.replaced(rows, np.clip(first, 0, width), np.clip(stop, 0, width))
        yield runs.rows, runs.starts, runs.stops


def _ends(line: Floats) -> tuple[Floats, Floats]:
    """Where each step begins and ends."""
    return (line[:-1], line[1:]) if len(line) > 1 else (line, line)


def _bounds(line: Floats, radius: float, height: int) -> tuple[Integers, Integers]:
    """The first row of each step, and the row behind its last one."""
    begins, ends = (end[:, 1] for end in _ends(line))
    top = np.ceil(np.minimum(begins, ends) - radius - 0.5)
    stop = np.floor(np.maximum(begins, ends) + radius - 0.5) + 1
    top, stop = (np.clip(bound, 0, height).astype(np.int64) for bound in (top, stop))
    return top, np.maximum(top, stop)


def _columns(
    begins: Floats, ends: Floats, rows: Integers, radius: float
) -> tuple[Integers, Integers]:
    """The first column of a step in a row, and the column behind its last one.

    A step is the union of discs along it. In a row its left edge is that of the disc whose edge
    lies furthest to the left there, and so with its right edge.
    """
    (x, y), (across, down) = begins.T, (ends - begins).T
    down = np.where(np.abs(down) < _FLAT, _FLAT, down)
    below = rows + 0.5 - y
    reached = np.sort([(below - radius) / down, (below + radius) / down], axis=0)
    low, high = np.clip(reached, 0, 1)
    lean = radius * across * np.sign(down) / np.hypot(across, down)
    edges = []
    for side in (1, -1):
        along = np.clip((below - side * lean) / down, low, high)
        reach = np.sqrt(np.maximum(radius**2 - (below - down * along) ** 2, 0))
        edges.append(x + across * along - side * reach - 0.5)
    left, right = edges
    return np.ceil(left).astype(np.int64), np.floor(right).astype(np.int64) + 1
