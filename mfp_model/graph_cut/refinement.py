"""A probability map's mask with its boundary moved to where the image has one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mfp_model.graph_cut.constants import GraphCutConfig
from mfp_model.graph_cut.levels import follow
from mfp_model.graph_cut.seeds import Seeds

_LEAST = 1e-3  # probabilities closer to 0 or 1 count as this far from it


def refined(
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    seeds: Seeds,
    config: GraphCutConfig,
    *,
    threshold: float,
) -> NDArray[np.bool_]:
    """Return the mask bool `[H, W]` whose boundary is cheapest near the map's own.

    What a pixel costs is its log-odds, so a sure network is followed and an unsure one is not.

    Args:
        image: RGB uint8 `[H, W, 3]`.
        probability: float32 `[H, W]` in 0..1.
        seeds: Pixels that keep their sign whatever the map says.
        config: Smoothness and band; the rest is not used.
        threshold: Above it is object.
    """
    height, width = probability.shape
    at_threshold = np.log(threshold / (1 - threshold))

    def cost_at(
        colours: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        probabilities = probability[(y * height).astype(np.int64), (x * width).astype(np.int64)]
        sure = np.clip(probabilities.astype(np.float64), _LEAST, 1 - _LEAST)
        return np.asarray(at_threshold - np.log(sure / (1 - sure)))

    seeded = seeds.on(height, width)
    return follow(image, probability > threshold, seeded, cost_at, config)
