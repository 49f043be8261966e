"""Image frame <-> network frame: windows, crops, clicks, and maps stored at network size.

A window of the image is shown to the network as a square of `size` pixels. A position (x, y) in
the image frame lies at ((x - left) * size / width, (y - top) * size / height) in the network
frame. Maps stay at network size in a `LayeredMap`; the full-size map is composed on demand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Box, Click

_HALVED_FROM = 3  # times the network's size: an odd side then shifts less than 0.7 pixels there


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A rectangle of whole pixels that the network looks at, in the image frame.

    Right and bottom are exclusive. It may reach over the image's border, where the network sees
    the image mirrored.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns in the window."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows in the window."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """Pixels in the window."""
        return self.width * self.height

    def has(self, click: Click) -> bool:
        """Return whether the click lies in the window, edges included."""
        inside_x = self.left <= click.x <= self.right
        return inside_x and self.top <= click.y <= self.bottom

    def covers(self, other: Window) -> bool:
        """Return whether no pixel of the other window lies outside this one."""
        starts = self.left <= other.left and self.top <= other.top
        return starts and self.right >= other.right and self.bottom >= other.bottom

    def iou(self, other: Window) -> float:
        """Return intersection over union of the two windows."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(0, width) * max(0, height)
        return shared / (self.area + other.area - shared)


def whole(height: int, width: int) -> Window:
    """Return the window of a whole image."""
    return Window(left=0, top=0, right=width, bottom=height)


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
        found: list[tuple[float, float, float, float]] = []
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
                found.append(
                    (columns[0] - half_x, rows[0] - half_y, columns[-1] + half_x, rows[-1] + half_y)
                )
        if not found:
            return None
        left, top, right, bottom = zip(*found, strict=True)
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
