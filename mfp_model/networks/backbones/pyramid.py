"""A feature pyramid: levels of several resolutions joined at the finest one."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class FeaturePyramid(nn.Module):
    """Projects every level to one width; from coarse to fine, adds and mixes them.

    Source: Lin et al., "Feature Pyramid Networks for Object Detection" (CVPR 2017).
    """

    def __init__(self, widths: Sequence[int], n_channels: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Conv2d(n, n_channels, 1) for n in widths)
        self.mixes = nn.ModuleList(_mix(n_channels) for _ in widths[:-1])

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Return features `[B, n_channels, h, w]` at the first level's resolution.

        Args:
            levels: `[B, widths[i], h_i, w_i]`, finest first.
        """
        projected = [layer(x) for layer, x in zip(self.projections, levels, strict=True)]
        merged: Tensor = projected[-1]
        for finer, mix in zip(reversed(projected[:-1]), reversed(self.mixes), strict=True):
            raised = F.interpolate(merged, finer.shape[-2:], mode="bilinear", align_corners=False)
            merged = mix(finer + raised)
        return merged


def _mix(n_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(
            nn.Conv2d(n_channels, n_channels, 3, padding=1, bias=False), nn.BatchNorm2d(n_channels)
        ),
        nn.ReLU(inplace=True),
    )
