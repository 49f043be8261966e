"""Late fusion: the head that sees image and probability maps once more, near the output.

Source: MFP, section 3.3 and the published implementation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class XceptionBlock(nn.Sequential):
    """Depthwise 3x3, BN, depthwise 3x3, pointwise 1x1, BN, ReLU; `n_in` to `n_out` channels."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in, bias=False),
            nn.BatchNorm2d(n_in),
            nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in, bias=False),
            nn.Conv2d(n_in, n_out, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
        )


class LateFusion(nn.Module):
    """Joins backbone features with features of [image, P, modulated P]; one logit at 1/4.

    Args:
        n_channels: K, the backbone's width.
        n_stem: Channels after the first strided convolution (64 in the paper).
    """

    def __init__(self, n_channels: int, *, n_stem: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(5, n_stem, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_stem, n_channels, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            XceptionBlock(n_channels, n_channels),
        )
        self.fuse = nn.Sequential(
            XceptionBlock(2 * n_channels, n_channels), XceptionBlock(n_channels, n_channels)
        )
        self.logits = nn.Conv2d(n_channels, 1, 1)

    def forward(self, features: Tensor, image: Tensor, maps: Tensor) -> Tensor:
        """Return logits float32 `[B, 1, H/4, W/4]`.

        Args:
            features: Backbone features `[B, K, H/4, W/4]`.
            image: Normalised image `[B, 3, H, W]`.
            maps: Previous and modulated probability map `[B, 2, H, W]`.
        """
        late = self.stem(torch.cat([image, maps], dim=1))
        logits: Tensor = self.logits(self.fuse(torch.cat([features, late], dim=1)))
        return logits
