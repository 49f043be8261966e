"""The guidance branch of the published convolutional networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LearnedScale(nn.Module):
    """Multiplies by one learned number, its sign ignored; it begins small."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), start))

    def forward(self, features: Tensor) -> Tensor:
        """Return the features `[B, C, H, W]`, scaled."""
        return features * self.scale.abs()


class GuidanceBranch(nn.Sequential):
    """Previous map, modulated map and click maps `[B, 4, H, W]` -> `[B, 64, H/2, W/2]`.

    Source: the published implementation: 1x1 to 16, LeakyReLU 0.2, 3x3 stride 2, scale.
    """

    def __init__(self, n_out: int = 64) -> None:
        super().__init__(
            nn.Conv2d(4, 16, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(16, n_out, 3, stride=2, padding=1),
            LearnedScale(0.05),
        )
