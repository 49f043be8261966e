"""Image frame <-> network frame: boxes, crops, clicks, and maps stored at network size.

A box of the image is shown to the network as a square of `size` pixels. A position (x, y) in
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
from mfp_model.prompts import Click

_HALVED_FROM = 3  # times the network's size: an odd side then shifts less than 0.7 pixels there


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle of whole pixels in the image frame; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns in the box."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows in the box."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """Pixels in the box."""
        return self.width * self.height

    def has(self, click: Click) -> bool:
        """Return whether the click lies in the box, edges included."""
        inside_x = self.left <= click.x <= self.right
        return inside_x and self.top <= click.y <= self.bottom

    def covers(self, other: Box) -> bool:
        """Return whether no pixel of the other box lies outside this one."""
        starts = self.left <= other.left and self.top <= other.top
        return starts and self.right >= other.right and self.bottom >= other.bottom

    def iou(self, other: Box) -> float:
        """Return intersection over union of the two boxes."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(0, width) * max(0, height)
        return shared / (self.area + other.area - shared)


def whole(height: int, width: int) -> Box:
    """Return the box of a whole image."""
    return Box(left=0, top=0, right=width, bottom=height)


def crop_to_network(image: NDArray[np.uint8], box: Box, size: int) -> NDArray[np.uint8]:
    """Return the box of an image uint8 `[H, W, 3]` resized to `[size, size, 3]`.

    Shrinking averages areas, so that thin structures of large photos survive. Large boxes are
    halved first, which is several times faster than averaging uneven areas of many pixels.
    """
    crop = image[box.top : box.bottom, box.left : box.right]
    while min(crop.shape[:2]) >= _HALVED_FROM * size:
        crop = _halved(crop)
    shrinks = box.width > size or box.height > size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (size, size), interpolation=method), dtype=np.uint8)


def mask_to_network(mask: MaskRuns, box: Box, size: int) -> NDArray[np.float32]:
    """Return the box of a mask resized to `[size, size]`: each cell's share of it, 0..1."""
    part = mask.cropped(left=box.left, top=box.top, right=box.right, bottom=box.bottom).mask()
    shrinks = box.width > size or box.height > size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(part.view(np.uint8) * 255, (size, size), interpolation=method)
    return np.asarray(resized, dtype=np.float32) / np.float32(255)


def _halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mean of every four pixels; for an odd last row or column the cells before it."""
    height, width = image.shape[:2]
    even = image[: height // 2 * 2, : width // 2 * 2]
    halved = cv2.resize(even, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    padding = ((0, height % 2), (0, width % 2), (0, 0))
    return np.asarray(np.pad(halved, padding, mode="edge"), dtype=np.uint8)


def clicks_to_network(
    clicks: Iterable[Click], box: Box, size: int
) -> list[tuple[float, float, bool]]:
    """Return the clicks as (x, y, is_positive) in the network frame; some may lie outside it."""
    x_scale, y_scale = size / box.width, size / box.height
    return [
        ((click.x - box.left) * x_scale, (click.y - box.top) * y_scale, click.is_positive)
        for click in clicks
    ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A map `[S, S]` float32 in the network frame of a box."""

    box: Box
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayeredMap:
    """A full-size map kept as layers at network size; later layers lie on top.

    Nothing is resampled while the box stays the same from round to round, and the memory
    does not grow with the image.

    Attributes:
        height: Rows of the image.
        width: Columns of the image.
        layers: Bottom first; where there is none the map is 0.
    """

    height: int
    width: int
    layers: tuple[Layer, ...] = ()

    def pasted(self, box: Box, values: NDArray[np.float32]) -> LayeredMap:
        """Return the map with `values` `[S, S]` on top of `box`; layers it hides are dropped."""
        values.setflags(write=False)
        kept = tuple(layer for layer in self.layers if not box.covers(layer.box))
        layers = (*kept, Layer(box=box, values=values))
        return LayeredMap(height=self.height, width=self.width, layers=layers)

    def resampled(self, box: Box, size: int) -> NDArray[np.float32]:
        """Return the map's values in the network frame of `box`, float32 `[size, size]`."""
        composed = np.zeros((size, size), dtype=np.float32)
        for layer in self.layers:
            if layer.box == box and layer.values.shape == composed.shape:
                composed[:] = layer.values
                continue
            columns = _positions(box.left, box.width, layer.box.left, layer.box.width, size)
            rows = _positions(box.top, box.height, layer.box.top, layer.box.height, size)
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
            box = layer.box
            composed[box.top : box.bottom, box.left : box.right] = cv2.resize(
                layer.values, (box.width, box.height), interpolation=cv2.INTER_LINEAR
            )
        return composed

    def bounds_above(self, threshold: float) -> Box | None:
        """Return the box around all cells above the threshold, or None if there are none.

        Cells hidden under a higher layer do not count.
        """
        found: list[tuple[float, float, float, float]] = []
        for index, layer in enumerate(self.layers):
            n_rows, n_columns = layer.values.shape
            x = layer.box.left + (np.arange(n_columns) + 0.5) * layer.box.width / n_columns
            y = layer.box.top + (np.arange(n_rows) + 0.5) * layer.box.height / n_rows
            above = layer.values > threshold
            for higher in (upper.box for upper in self.layers[index + 1 :]):
                hidden_x = (x >= higher.left) & (x < higher.right)
                hidden_y = (y >= higher.top) & (y < higher.bottom)
                above = above & ~(hidden_y[:, None] & hidden_x)
            columns, rows = x[above.any(axis=0)], y[above.any(axis=1)]
            if columns.size:
                half_x = layer.box.width / n_columns / 2
                half_y = layer.box.height / n_rows / 2
                found.append(
                    (columns[0] - half_x, rows[0] - half_y, columns[-1] + half_x, rows[-1] + half_y)
                )
        if not found:
            return None
        left, top, right, bottom = zip(*found, strict=True)
        return Box(
            left=max(0, int(np.floor(min(left)))),
            top=max(0, int(np.floor(min(top)))),
            right=min(self.width, int(np.ceil(max(right)))),
            bottom=min(self.height, int(np.ceil(max(bottom)))),
        )


def _positions(
    start: int, length: int, layer_start: int, layer_length: int, size: int
) -> NDArray[np.float64]:
    """Centres of `size` cells of one box as shares of a layer's box, 0..1 inside it."""
    centres = start + (np.arange(size) + 0.5) * length / size
    return (centres - layer_start) / layer_length
