"""HRNet-18, as the published MFP-HRNet-18: features `[B, 270, H/4, W/4]`.

Source: Wang et al., "Deep High-Resolution Representation Learning" (TPAMI 2020), width 18; the
OCR head that goes with it is `mfp_model.networks.heads.ObjectContextHead`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mfp_model.networks.backbones.guidance import GuidanceBranch
from mfp_model.networks.backbones.resnet import BasicBlock

_WIDTHS = (18, 36, 72, 144)  # branches at 1/4, 1/8, 1/16, 1/32
_N_MODULES = {2: 1, 3: 4, 4: 3}  # modules in the stage with that many branches
_N_BLOCKS = 4


def _convolution(n_in: int, n_out: int, *, size: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(n_out))


class _Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 around a shortcut; names as in torchvision."""

    def __init__(self, n_in: int, n_inner: int) -> None:
        super().__init__()
        n_out = 4 * n_inner
        self.conv1 = nn.Conv2d(n_in, n_inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_inner)
        self.conv2 = nn.Conv2d(n_inner, n_inner, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_inner)
        self.conv3 = nn.Conv2d(n_inner, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.downsample: nn.Module = nn.Identity()
        if n_in != n_out:
            self.downsample = _convolution(n_in, n_out, size=1)

    def forward(self, features: Tensor) -> Tensor:
        inner = F.relu(self.bn1(self.conv1(features)), inplace=True)
        inner = F.relu(self.bn2(self.conv2(inner)), inplace=True)
        inner = self.bn3(self.conv3(inner))
        return F.relu(inner + self.downsample(features), inplace=True)


def _way(source: int, target: int) -> nn.Module:
    """From one branch's resolution and width to another's."""
    if source == target:
        return nn.Identity()
    if source > target:
        return _convolution(_WIDTHS[source], _WIDTHS[target], size=1)
    n_in, steps = _WIDTHS[source], []
    for _ in range(source + 1, target):
        steps.append(nn.Sequential(*_convolution(n_in, n_in, stride=2), nn.ReLU(inplace=True)))
    return nn.Sequential(*steps, _convolution(n_in, _WIDTHS[target], stride=2))


class _Exchange(nn.Module):
    """Branches of residual blocks; then every branch gets the sum of all, at its resolution."""

    def __init__(self, n_branches: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width) for _ in range(_N_BLOCKS)))
            for width in _WIDTHS[:n_branches]
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_way(source, target) for source in range(n_branches))
            for target in range(n_branches)
        )

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        levels = [branch(level) for branch, level in zip(self.branches, levels, strict=True)]
        fused = []
        for target, ways in enumerate(self.fuse_layers):
            assert isinstance(ways, nn.ModuleList)
            size = levels[target].shape[-2:]
            parts = [_resized(way(level), size) for way, level in zip(ways, levels, strict=True)]
            fused.append(torch.relu(torch.stack(parts).sum(dim=0)))
        return fused


class HrNetBackbone(nn.Module):
    """Fuses both embeddings after the stem's first convolution; four resolutions in parallel."""

    n_channels = sum(_WIDTHS)
    stride = 32

    def __init__(self) -> None:
        super().__init__()
        self.guidance = GuidanceBranch()
        self.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(_Bottleneck(64, 64), *(_Bottleneck(256, 64) for _ in range(3)))
        self.begin = nn.ModuleList(  # the first two branches; later ones begin at the coarsest
            nn.Sequential(*_convolution(256, width, stride=stride), nn.ReLU(inplace=True))
            for width, stride in zip(_WIDTHS[:2], (1, 2), strict=True)
        )
        self.add_branch = nn.ModuleDict(
            {
                str(n): nn.Sequential(
                    *_convolution(_WIDTHS[n - 2], _WIDTHS[n - 1], stride=2), nn.ReLU(inplace=True)
                )
                for n in (3, 4)
            }
        )
        self.stages = nn.ModuleDict(
            {
                str(n): nn.Sequential(*(_Exchange(n) for _ in range(count)))
                for n, count in _N_MODULES.items()
            }
        )

    def forward(self, image: Tensor, guidance: Tensor) -> Tensor:
        """Return features float32 `[B, 270, H/4, W/4]`.

        Args:
            image: Normalised image float32 `[B, 3, H, W]`, H and W multiples of `stride`.
            guidance: Previous map, modulated map and click maps float32 `[B, 4, H, W]`.
        """
        stem = F.relu(self.bn1(self.conv1(image))) + self.guidance(guidance)
        stem = self.layer1(F.relu(self.bn2(self.conv2(stem))))
        levels = self.stages["2"]([begin(stem) for begin in self.begin])
        for n in ("3", "4"):
            levels = self.stages[n]([*levels, self.add_branch[n](levels[-1])])
        size = levels[0].shape[-2:]
        return torch.cat([_resized(level, size) for level in levels], dim=1)


def _resized(level: Tensor, size: torch.Size) -> Tensor:
    if level.shape[-2:] == size:
        return level
    return F.interpolate(level, size, mode="bilinear", align_corners=True)
