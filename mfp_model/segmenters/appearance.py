"""What a network's first layers see in an image of any size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from mfp_model.networks.image_input import normalised_tensor
from mfp_model.networks.network import MfpNetwork
from mfp_model.segmenter import APPEARANCE_CELL_PX

_TILE_PX = 512
_MARGIN_PX = 32  # further than a cell sees


class Appearance:
    """Shows an image to the first layers of a network, tile by tile."""

    def __init__(self, network: MfpNetwork, device: torch.device) -> None:
        """Keep the first layers of a network, which tells what images look like.

        Args:
            network: In evaluation mode.
            device: Where they are computed.
        """
        self._layers = network.first_layers().eval().to(device)
        self._device = device
        self.n_bytes = sum(weight.nbytes for weight in self._layers.parameters())

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 `[H/4, W/4, C]` of RGB uint8 `[H, W, 3]`, H and W multiples of 4."""
        height, width = image.shape[:2]
        cell = APPEARANCE_CELL_PX
        rows = []
        for top, bottom in _tiles(height):
            row = []
            for left, right in _tiles(width):
                above, before = max(0, top - _MARGIN_PX), max(0, left - _MARGIN_PX)
                seen = image[above : bottom + _MARGIN_PX, before : right + _MARGIN_PX]
                features = self._features(seen)
                down, across = (top - above) // cell, (left - before) // cell
                n_down, n_across = (bottom - top) // cell, (right - left) // cell
                row.append(features[down : down + n_down, across : across + n_across])
            rows.append(np.concatenate(row, axis=1))
        return np.concatenate(rows, axis=0)

    def _features(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            inputs = normalised_tensor(image, self._device)
            features = self._layers(inputs)[0].permute(1, 2, 0)
        return np.ascontiguousarray(features.float().cpu().numpy(), dtype=np.float32)


def _tiles(side: int) -> Iterator[tuple[int, int]]:
    for start in range(0, side, _TILE_PX):
        yield start, min(side, start + _TILE_PX)
