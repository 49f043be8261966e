"""From a small image to the full one: cut a coarse grid, then follow its boundary in a band.

Memory and time go with the coarse grid and with the boundary's length, not with the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.graph_cut.constants import GraphCutConfig
from mfp_model.graph_cut.cut import cut_band, cut_grid
from mfp_model.graph_cut.features import at_positions
from mfp_model.graph_cut.ground import Ground, coarse_size, contrast_of, resized
from mfp_model.graph_cut.seeds import Seeds
from mfp_model.graph_cut.unary import Appearance, appearance_of, way_cost

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
_MAX_PAIRS = 200_000  # looked at for a median


def segment(image: NDArray[np.uint8], ground: Ground, seeds: Seeds, config: GraphCutConfig) -> Mask:
    """Return the object that the seeds ask for, bool `[H, W]`, of parts with an object's seed.

    Args:
        image: RGB uint8 `[H, W, 3]`.
        ground: The image's.
        seeds: At least one of the object.
        config: The constants.
    """
    mask, costs = _coarse_cut(ground, seeds, config)
    for height, width in sizes(image.shape[0], image.shape[1], config.coarse_px):
        level = resized(image, height, width)
        seeded = seeds.on(height, width)
        mask = follow(level, _at_size(mask, height, width), seeded, costs.at, config)
    return with_seed(mask, seeds.on(*mask.shape))


def follow(
    level: NDArray[np.uint8],
    mask: Mask,
    seeded: NDArray[np.int8],
    cost_at: Callable[[Floats, Floats, Floats], Floats],
    config: GraphCutConfig,
) -> Mask:
    """Return the mask with its boundary moved, by at most the band, to where it is cheapest.

    Args:
        level: RGB uint8 `[H, W, 3]`.
        mask: bool `[H, W]`; where seeds disagree, it may change as well.
        seeded: 1 for object, -1 for background, 0 for neither, `[H, W]`.
        cost_at: What being object costs more, `[n]`, for colours `[n, 3]` in 0..1 at positions
            `[n]` down and `[n]` to the right, in 0..1.
        config: The constants.
    """
    band = _band(mask, seeded, config.band_px)
    inside = np.flatnonzero(band)
    height, width = mask.shape
    rows, columns = np.divmod(inside, width)
    pixels = level.reshape(-1, 3)
    costs = cost_at(pixels[inside] / 255.0, (rows + 0.5) / height, (columns + 0.5) / width)
    first, second = _neighbours(band)
    squared = ((pixels[first] / 255.0 - pixels[second] / 255.0) ** 2).sum(axis=1)
    weights = config.smoothness * np.exp(-squared / _contrast_of_level(level))
    return cut_band(mask, band, costs, seeded.reshape(-1)[inside], (first, second, weights))


def with_seed(mask: Mask, seeded: NDArray[np.int8]) -> Mask:
    """Return the parts of the mask that have an object's seed, bool `[H, W]`."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    keeps = np.zeros(int(labels.max()) + 1, dtype=np.bool_)
    keeps[labels[seeded > 0]] = True
    keeps[0] = False
    return np.asarray(keeps[labels])


def sizes(height: int, width: int, coarse_px: int) -> list[tuple[int, int]]:
    """Return the sizes of the levels after the first, each at most twice the one before."""
    between, long_side = [], coarse_px * 2
    while long_side < max(height, width):
        between.append(coarse_size(height, width, long_side))
        long_side *= 2
    return [*between, (height, width)] if max(height, width) > coarse_px else []


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Costs:
    """The costs of being object, to be had anywhere on the image."""

    ground: Ground
    looks: Appearance | None
    way: Floats
    config: GraphCutConfig

    def coarse(self) -> Floats:
        """At every pixel of the coarse level, `[h, w]`."""
        features = self.ground.features
        flat = features.reshape(-1, features.shape[2])
        return self._sum(flat, self.way.reshape(-1)).reshape(self.way.shape)

    def at(self, colours: Floats, y: Floats, x: Floats) -> Floats:
        """At some places of a finer level, `[n]`; see `follow`."""
        is_deep = self.ground.features is not self.ground.pixels
        features = at_positions(self.ground.features, y, x) if is_deep else colours
        return self._sum(features, at_positions(self.way[..., None], y, x)[:, 0])

    def _sum(self, features: Floats, way: Floats) -> Floats:
        costs = self.config.way_weight * way
        if self.looks is not None and self.config.appearance_weight:
            costs = costs + self.config.appearance_weight * self.looks.cost(features)
        return costs


def _coarse_cut(ground: Ground, seeds: Seeds, config: GraphCutConfig) -> tuple[Mask, _Costs]:
    seeded = seeds.on(*ground.right.shape)
    right, down = (config.smoothness * np.exp(-x) for x in (ground.right, ground.down))
    way = way_cost(ground.right, ground.down, seeded)
    mask, background = seeded > 0, _first_background(seeded)
    looks = None
    for _ in range(1 + config.n_refits):
        # A seed of the object may share its only cell with a newer one, and be seen later.
        if mask.any() and background.any():
            looks = appearance_of(ground.features, mask, background, config, ground.floor)
        costs = _Costs(ground=ground, looks=looks, way=way, config=config)
        mask = cut_grid(costs.coarse(), seeded, right, down)
        background = ~mask
    return mask, costs


def _first_background(seeded: NDArray[np.int8]) -> Mask:
    """Where the background is learned at first: its seeds and the image's edge."""
    background = seeded < 0
    edge = np.zeros_like(background)
    edge[[0, -1], :] = edge[:, [0, -1]] = True
    return np.asarray(background | (edge & (seeded == 0)))


def _band(mask: Mask, seeded: NDArray[np.int8], reach: int) -> Mask:
    """Pixels within reach of the boundary, or of a seed that disagrees with the mask."""
    kernel = np.ones((3, 3), dtype=np.uint8)
    labels = mask.astype(np.uint8)
    edge = cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)
    edge |= ((seeded > 0) & ~mask) | ((seeded < 0) & mask)
    wide = np.ones((2 * reach - 1, 2 * reach - 1), dtype=np.uint8)
    return np.asarray(cv2.dilate(edge.astype(np.uint8), wide), dtype=np.bool_)


def _neighbours(band: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Flat indices of all pairs of 4-neighbours with the first in the band, each pair once."""
    index = np.arange(band.size).reshape(band.shape)
    pairs = []
    for here, there in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        forward = band[here]
        backward = band[there] & ~forward
        pairs.append((index[here][forward], index[there][forward]))
        pairs.append((index[there][backward], index[here][backward]))
    first, second = zip(*pairs, strict=True)
    return np.concatenate(first), np.concatenate(second)


def _contrast_of_level(level: NDArray[np.uint8]) -> float:
    """The median of squared differences between neighbours, over some of the rows."""
    step = max(1, level.shape[0] * level.shape[1] // _MAX_PAIRS)
    rows = level[::step].astype(np.float64) / 255
    return contrast_of((np.diff(rows, axis=1) ** 2).sum(axis=2).reshape(-1))


def _at_size(mask: Mask, height: int, width: int) -> Mask:
    larger = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(larger, dtype=np.bool_)
