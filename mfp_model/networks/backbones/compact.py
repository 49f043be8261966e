"""The compact backbone: a narrow residual network, fast on two CPU cores."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mfp_model.networks.backbones.attention import GlobalAttention

_STAGES = ((48, 2), (96, 2), (192, 3), (288, 2))  # channels, blocks; strides 4, 8, 16, 32
_N_STEM = 32


def _conv(
    n_in: int, n_out: int, *, size: int = 3, stride: int = 1, begins_at_zero: bool = False
) -> nn.Sequential:
    norm = nn.BatchNorm2d(n_out)
    if begins_at_zero:
        nn.init.zeros_(norm.weight)
    return nn.Sequential(nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False), norm)


class _Embedding(nn.Sequential):
    """Two strided convolutions to 1/4 resolution."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(
            _conv(n_in, _N_STEM, stride=2),
            nn.ReLU(inplace=True),
            _conv(_N_STEM, n_out, stride=2),
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
    """Fuses both embeddings and returns features float32 `[B, 80, H/4, W/4]`.

    Image and guidance (previous map, modulated map, two click maps) are embedded separately
    to tensors of one shape and added, as in MFP; four residual stages follow, the coarsest
    with attention over the whole input; from coarse to fine, every stage is projected to one
    width, added to what comes from below and mixed.
    """

    n_channels = 80
    stride = 32

    def __init__(self) -> None:
        super().__init__()
        widths = [n_out for n_out, _ in _STAGES]
        self.image_embedding = _Embedding(3, widths[0])
        self.guidance_embedding = _Embedding(4, widths[0])
        stages, n_in = [], widths[0]
        for index, (n_out, n_blocks) in enumerate(_STAGES):
            stride = 1 if index == 0 else 2
            blocks = [_ResidualBlock(n_in, n_out, stride=stride)]
            blocks += [_ResidualBlock(n_out, n_out, stride=1) for _ in range(n_blocks - 1)]
            stages.append(nn.Sequential(*blocks))
            n_in = n_out
        self.stages = nn.ModuleList(stages)
        self.attention = GlobalAttention(n_in)
        self.projections = nn.ModuleList(nn.Conv2d(n, self.n_channels, 1) for n in widths)
        self.mixes = nn.ModuleList(
            nn.Sequential(_conv(self.n_channels, self.n_channels), nn.ReLU(inplace=True))
            for _ in widths[:-1]
        )

    def forward(self, image: Tensor, guidance: Tensor) -> Tensor:
        """Return the features.

        Args:
            image: Normalised image float32 `[B, 3, H, W]`, H and W multiples of `stride`.
            guidance: Previous map, modulated map and click maps float32 `[B, 4, H, W]`.
        """
        features = torch.relu(self.image_embedding(image) + self.guidance_embedding(guidance))
        levels = []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        levels[-1] = self.attention(levels[-1])
        projected = [layer(x) for layer, x in zip(self.projections, levels, strict=True)]
        merged: Tensor = projected[-1]
        for finer, mix in zip(reversed(projected[:-1]), reversed(self.mixes), strict=True):
            raised = F.interpolate(merged, finer.shape[-2:], mode="bilinear", align_corners=False)
            merged = mix(finer + raised)
        return merged
