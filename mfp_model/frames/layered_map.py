"""Maps stored at network size; the full-size map is composed on demand."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.frames.window import Window


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A map `[S, S]` float32 in the network frame of a window."""

    window: Window
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayeredMap:
    """A full-size map kept as layers at network size; later layers lie on top.

    Nothing is resampled while the window stays the same from round to round, and the memory
    does not grow with the image.

    Attributes:
        height: Rows of the image.
        width: Columns of the image.
        layers: Bottom first; where there is none the map is 0.
    """

    height: int
    width: int
    layers: tuple[Layer, ...] = ()

    def pasted(self, window: Window, values: NDArray[np.float32]) -> LayeredMap:
        """Return the map with `values` `[S, S]` on top of `window`; layers it hides are dropped."""
        values.setflags(write=False)
        kept = tuple(layer for layer in self.layers if not window.covers(layer.window))
        layers = (*kept, Layer(window=window, values=values))
        return LayeredMap(height=self.height, width=self.width, layers=layers)

    def resampled(self, window: Window, size: int) -> NDArray[np.float32]:
        """Return the map's values in the network frame of `window`, float32 `[size, size]`."""
        composed = np.zeros((size, size), dtype=np.float32)
        for layer in self.layers:
            if layer.window == window and layer.values.shape == composed.shape:
                composed[:] = layer.values
                continue
            columns = _positions(
                window.left, window.width, layer.window.left, layer.window.width, size
            )
            rows = _positions(
                window.top, window.height, layer.window.top, layer.window.height, size
            )
            inside = ((rows >= 0) & (rows < 1))[:, None] & ((columns >= 0) & (columns < 1))
            grid_x, grid_y = np.meshgrid(
                (columns * layer.values.shape[1] - 0.5).astype(np.float32),
                (rows * layer.values.shape[0] - 0.5).astype(np.float32),
            )
            sampled = cv2.remap(
                layer.values, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            np.copyto(composed, sampled, where=inside)
        return composed

    def full(self) -> NDArray[np.float32]:
        """Return the map at image size, float32 `[height, width]`, bilinear between cells."""
        composed = np.zeros((self.height, self.width), dtype=np.float32)
        for layer in self.layers:
            window = layer.window
            top, left = max(0, window.top), max(0, window.left)
            resized = cv2.resize(
                layer.values, (window.width, window.height), interpolation=cv2.INTER_LINEAR
            )
            inside = resized[top - window.top :, left - window.left :]
            place = composed[top : window.bottom, left : window.right]
            place[:] = inside[: place.shape[0], : place.shape[1]]
        return composed

    def bounds_above(self, threshold: float) -> Window | None:
        """Return the window around all cells above the threshold, or None if there are none.

        Cells hidden under a higher layer do not count.
        """
        extents: list[tuple[float, float, float, float]] = []
        for index, layer in enumerate(self.layers):
            n_rows, n_columns = layer.values.shape
            x = layer.window.left + (np.arange(n_columns) + 0.5) * layer.window.width / n_columns
            y = layer.window.top + (np.arange(n_rows) + 0.5) * layer.window.height / n_rows
            above = layer.values > threshold
            for higher in (upper.window for upper in self.layers[index + 1 :]):
                hidden_x = (x >= higher.left) & (x < higher.right)
                hidden_y = (y >= higher.top) & (y < higher.bottom)
                above = above & ~(hidden_y[:, None] & hidden_x)
            columns, rows = x[above.any(axis=0)], y[above.any(axis=1)]
            if columns.size:
                half_x = layer.window.width / n_columns / 2
                half_y = layer.window.height / n_rows / 2
                extents.append(
                    (columns[0] - half_x, rows[0] - half_y, columns[-1] + half_x, rows[-1] + half_y)
                )
        if not extents:
            return None
        left, top, right, bottom = zip(*extents, strict=True)
        return Window(
            left=max(0, int(np.floor(min(left)))),
            top=max(0, int(np.floor(min(top)))),
            right=min(self.width, int(np.ceil(max(right)))),
            bottom=min(self.height, int(np.ceil(max(bottom)))),
        )


def _positions(
    start: int, length: int, layer_start: int, layer_length: int, size: int
) -> NDArray[np.float64]:
    """Centres of `size` cells of one window as shares of a layer's window, 0..1 inside it."""
    centres = start + (np.arange(size) + 0.5) * length / size
    return (centres - layer_start) / layer_length
