"""The compact backbone: a half-width residual network, fast on two CPU cores."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_STAGES = ((32, 2), (64, 2), (128, 3), (256, 2))  # channels, blocks; strides 4, 8, 16, 32
_STEM_CHANNELS = 32


def _conv(
    n_in: int, n_out: int, *, size: int = 3, stride: int = 1, begins_at_zero: bool = False
) -> nn.Sequential:
    norm = nn.BatchNorm2d(n_out)
    if begins_at_zero:
        nn.init.zeros_(norm.weight)
    return nn.Sequential(nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False), norm)


class _Embedding(nn.Sequential):
    """Two strided convolutions to 1/4 resolution."""

    def __init__(self, n_in: int) -> None:
        super().__init__(
            _conv(n_in, _STEM_CHANNELS, stride=2),
            nn.ReLU(inplace=True),
            _conv(_STEM_CHANNELS, _STEM_CHANNELS, stride=2),
        )


class _ResidualBlock(nn.Module):
    def __init__(self, n_in: int, n_out: int, *, stride: int) -> None:
        super().__init__()
        self.first = _conv(n_in, n_out, stride=stride)
        self.second = _conv(n_out, n_out, begins_at_zero=True)  # begin as identity
        same = stride == 1 and n_in == n_out
        self.shortcut = nn.Identity() if same else _conv(n_in, n_out, size=1, stride=stride)

    def forward(self, features: Tensor) -> Tensor:
        inner = self.second(F.relu(self.first(features), inplace=True))
        return F.relu(inner + self.shortcut(features), inplace=True)


class CompactBackbone(nn.Module):
    """Fuses both embeddings and returns features float32 `[B, 64, H/4, W/4]`.

    Image and guidance (previous map, modulated map, two click maps) are embedded separately
    to tensors of one shape and added, as in MFP; four residual stages follow; every stage is
    projected to one width, resized to 1/4 resolution and mixed.
    """

    n_channels = 64
    stride = 32

    def __init__(self) -> None:
        super().__init__()
        self.image_embedding = _Embedding(3)
        self.guidance_embedding = _Embedding(4)
        stages, n_in = [], _STEM_CHANNELS
        for index, (n_out, n_blocks) in enumerate(_STAGES):
            stride = 1 if index == 0 else 2
            blocks = [_ResidualBlock(n_in, n_out, stride=stride)]
            blocks += [_ResidualBlock(n_out, n_out, stride=1) for _ in range(n_blocks - 1)]
            stages.append(nn.Sequential(*blocks))
            n_in = n_out
        self.stages = nn.ModuleList(stages)
        self.context = nn.Sequential(  # what the whole image says, given to its coarsest cells
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(n_in, n_in, 1), nn.Sigmoid()
        )
        widths = [n_out for n_out, _ in _STAGES]
        self.projections = nn.ModuleList(nn.Conv2d(n, self.n_channels, 1) for n in widths)
        self.mix = nn.Sequential(_conv(self.n_channels, self.n_channels), nn.ReLU(inplace=True))

    def forward(self, image: Tensor, guidance: Tensor) -> Tensor:
        """Return the features.

        Args:
            image: Normalised image float32 `[B, 3, H, W]`, H and W multiples of `stride`.
            guidance: Previous map, modulated map and click maps float32 `[B, 4, H, W]`.
        """
        features = F.relu(self.image_embedding(image) + self.guidance_embedding(guidance))
        levels = []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        levels[-1] = levels[-1] * self.context(levels[-1])
        projected = [layer(x) for layer, x in zip(self.projections, levels, strict=True)]
        merged = projected[-1]
        for finer in reversed(projected[:-1]):
            merged = finer + F.interpolate(
                merged, size=finer.shape[-2:], mode="bilinear", align_corners=False
            )
        mixed: Tensor = self.mix(torch.relu(merged))
        return mixed
