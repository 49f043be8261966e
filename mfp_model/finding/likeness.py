"""How much each place of an image looks like an example.

What an image looks like is told by the segmenter's own early features, at the scale of the example.
Each place is compared with the example in two ways: by the angle between the two, as far as they
differ from the image's mean, and by a linear discriminant between the example and the rest.

Source: Hariharan, Malik and Ramanan, "Discriminative Decorrelation for Clustering and
Classification" (ECCV 2012), for the discriminant that needs one example.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.errors import PromptError
from mfp_model.masks.bounds import Bounds, bounds_of
from mfp_model.prompts import Click
from mfp_model.segmenter import APPEARANCE_CELL_PX, Segmenter

_OBJECT_PX = 64  # side at which objects are compared
_MAX_SCALE = 3.0
_MAX_PIXELS = 3_000_000  # of the image that is compared
_SHRINKAGE = 0.05  # of the covariance towards its diagonal
_SMOOTHING, _APART = 0.2, 0.3  # of the example's side: blur, and how near two clicks may lie
_MIN_PEAK = 0.0
_MIN_LIKENESS = 0.3  # of the very place

Mask = NDArray[np.bool_]
Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Example:
    """What others are compared with.

    Attributes:
        vector: Its mean features float32 `[C]`.
        height: Rows of the box around it, in pixels of its image.
        width: Columns likewise.
        area: Its pixels.
        likeness: Of its own pixels with their mean, on the average: what counts as alike.
    """

    vector: NDArray[np.float32]
    height: int
    width: int
    area: int
    likeness: float

    @property
    def side_px(self) -> float:
        """The side of a square as large as the box around it."""
        return math.sqrt(self.height * self.width)


def example_of(segmenter: Segmenter, image: NDArray[np.uint8], mask: Mask) -> Example:
    """Return what an object looks like.

    Args:
        segmenter: Whose features tell it.
        image: RGB uint8 `[H, W, 3]`.
        mask: The object, bool `[H, W]`.

    Raises:
        PromptError: The mask is empty.
    """
    bounds = bounds_of(mask)
    if bounds is None:
        raise PromptError("the example's mask is empty: expected an object")
    features = features_at(segmenter, image, math.sqrt(bounds.width * bounds.height))
    shares = _on_cells(mask, features)
    vector = (features * shares[..., None]).sum(axis=(0, 1)) / max(float(shares.sum()), 1e-6)
    likeness = likeness_of(features, vector)
    own = float((likeness * shares).sum()) / max(float(shares.sum()), 1e-6)
    return Example(
        vector=vector.astype(np.float32),
        height=bounds.height,
        width=bounds.width,
        area=int(mask.sum()),
        likeness=max(own, 1e-3),
    )


def features_at(segmenter: Segmenter, image: NDArray[np.uint8], side_px: float) -> Features:
    """What the image looks like, at the scale at which an object of that side is compared."""
    height, width = image.shape[:2]
    scale = min(_OBJECT_PX / side_px, _MAX_SCALE, math.sqrt(_MAX_PIXELS / (height * width)))
    cell = APPEARANCE_CELL_PX
    size = tuple(max(cell, round(scale * side / cell) * cell) for side in (width, height))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return segmenter.appearance(np.asarray(cv2.resize(image, size, interpolation=method), np.uint8))


def likeness_of(features: Features, vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each cell looks like the vector, `[h, w]`: 1 for the vector itself."""
    flat = features.reshape(-1, features.shape[2]).astype(np.float64)
    mean = flat.mean(axis=0)
    spread = flat.std(axis=0) + 1e-6
    around, wanted = flat - mean, vector - mean
    scaled, target = around / spread, wanted / spread
    lengths = np.maximum(np.linalg.norm(scaled, axis=1), 1e-6) * max(np.linalg.norm(target), 1e-6)
    cosine = scaled @ target / lengths
    covariance = around.T @ around / len(flat) + _SHRINKAGE * np.diag(spread**2)
    direction = np.linalg.solve(covariance, wanted)
    discriminant = np.clip(around @ direction / max(float(wanted @ direction), 1e-6), -1, 1.5)
    mean_likeness = ((cosine + discriminant) / 2).reshape(features.shape[:2])
    return np.asarray(mean_likeness, dtype=np.float32)


def peaks(
    likeness: NDArray[np.float32], side: float, *, height: int, width: int
) -> Iterator[Click]:
    """What is alike, most alike first, none near one before; `side` is an object's, in cells.

    Objects that touch are one hill: the places on its slopes count as well as its top.
    """
    smooth = cv2.GaussianBlur(likeness, (0, 0), max(0.8, _SMOOTHING * side))
    n_rows, n_columns = likeness.shape
    is_left, apart = np.ones(likeness.shape, dtype=np.bool_), _APART * side
    reach = int(apart)
    # The order is known before: to look for the highest one each time takes minutes on a photo.
    for place in np.argsort(-smooth, axis=None, kind="stable"):
        row, column = divmod(int(place), n_columns)
        if smooth[row, column] < _MIN_PEAK:
            return
        if not is_left[row, column]:
            continue
        top, left = max(0, row - reach), max(0, column - reach)
        near = is_left[top : row + reach + 1, left : column + reach + 1]
        rows, columns = np.ogrid[top : top + near.shape[0], left : left + near.shape[1]]
        near[(rows - row) ** 2 + (columns - column) ** 2 <= apart**2] = False
        if likeness[row, column] < _MIN_LIKENESS:
            continue
        x, y = (column + 0.5) / n_columns * width, (row + 0.5) / n_rows * height
        yield Click(x=min(x, width - 0.5), y=min(y, height - 0.5))


def mean_in(
    likeness: NDArray[np.float32], place: Bounds, mask: Mask, *, height: int, width: int
) -> float:
    """The mean likeness of a mask that lies at a place, each pixel with its cell's."""
    rows, columns = np.nonzero(mask)
    down, across = likeness.shape[0] / height, likeness.shape[1] / width
    cells = likeness[
        ((rows + place.top + 0.5) * down).astype(np.int64),
        ((columns + place.left + 0.5) * across).astype(np.int64),
    ]
    return float(cells.mean())


def _on_cells(mask: Mask, features: Features) -> NDArray[np.float32]:
    """The share of each cell that a mask covers."""
    rows, columns = features.shape[:2]
    resized = cv2.resize(mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.float32)
