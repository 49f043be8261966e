"""Where a layered map exceeds a threshold, as runs, without computing the full-size map.

Along an image row a bilinear map is a line between the centres of neighbouring cells, so a run
begins and ends where such a line crosses the threshold: some hundred cells are looked at for
each row, and not its thousands of pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.frames.layered_map import Layer, LayeredMap
from mfp_model.masks.runs import MaskRuns


def runs_above(layered: LayeredMap, threshold: float) -> MaskRuns:
    """Return the pixels of `layered.full()` above a threshold of at least 0.

    Pixels within rounding of the threshold may differ.
    """
    runs = MaskRuns.empty(height=layered.height, width=layered.width)
    for layer in layered.layers:
        window = layer.window
        below = runs.without(
            left=window.left, top=window.top, right=window.right, bottom=window.bottom
        )
        runs = below.union(_layer_runs(layer, threshold, runs))
    return runs


def _layer_runs(layer: Layer, threshold: float, frame: MaskRuns) -> MaskRuns:
    """The runs of one layer, in a mask of the frame's size."""
    window, n_columns = layer.window, layer.values.shape[1]
    # Bilinear down the columns only; each row is then looked at between its cells.
    values = np.asarray(
        cv2.resize(layer.values, (n_columns, window.height), interpolation=cv2.INTER_LINEAR),
        dtype=np.float32,
    )
    is_above = np.zeros((window.height, n_columns + 2), dtype=np.bool_)  # False before and behind
    np.greater(values, threshold, out=is_above[:, 1:-1])
    flat = is_above.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    rows, cells = np.divmod(changes, n_columns + 2)  # between this cell, less 1, and the next
    crossings = _crossings(values, rows, cells - 1, threshold) * window.width / n_columns - 0.5
    starts, stops = np.floor(crossings[::2]) + 1, np.ceil(crossings[1::2])
    # A run that reaches the first or last cell reaches the window's edge.
    starts[cells[::2] == 0] = 0
    stops[cells[1::2] == n_columns] = window.width
    starts, stops = (
        (x.clip(0, window.width).astype(np.int64) + window.left).clip(0, frame.width)
        for x in (starts, stops)
    )
    rows = rows[::2] + window.top
    inside = (rows >= 0) & (rows < frame.height)
    return frame.replaced(rows[inside], starts[inside], stops[inside])


def _crossings(
    values: NDArray[np.float32], rows: NDArray[np.int64], cells: NDArray[np.int64], threshold: float
) -> NDArray[np.float64]:
    """Where the line from each cell to the next crosses the threshold, in cells of the window."""
    before = values[rows, cells.clip(0)].astype(np.float64)
    after = values[rows, (cells + 1).clip(max=values.shape[1] - 1)].astype(np.float64)
    rise = np.where(after == before, 1.0, after - before)
    crossings: NDArray[np.float64] = cells + 0.5 + (threshold - before) / rise
    return crossings
