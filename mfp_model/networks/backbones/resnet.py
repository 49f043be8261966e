"""ResNet-34 with DeepLabV3+, as the published MFP-ResNet-34: features `[B, 128, H/4, W/4]`.

Source: Chen et al., "Encoder-Decoder with Atrous Separable Convolution" (ECCV 2018), in the
published implementation's variant: the last two stages dilated, output stride 8.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mfp_model.networks.backbones.guidance import GuidanceBranch
from mfp_model.networks.heads import SeparableConvolution

_STAGES = ((64, 3, 1, 1), (128, 4, 2, 1), (256, 6, 1, 2), (512, 3, 1, 4))
# channels, blocks, stride, dilation
_ATROUS_RATES = (12, 24, 36)
_N_SKIP = 32


def _norm_relu(*layers: nn.Module, n: int) -> nn.Sequential:
    return nn.Sequential(*layers, nn.BatchNorm2d(n), nn.ReLU(inplace=True))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; names as in torchvision."""

    def __init__(
        self, n_in: int, n_out: int, *, stride: int = 1, dilations: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        first, second = dilations
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, padding=first, dilation=first, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=second, dilation=second, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, features: Tensor) -> Tensor:
        """Return features at `stride` of these `[B, C, H, W]`."""
        inner = F.relu(self.bn1(self.conv1(features)), inplace=True)
        inner = self.bn2(self.conv2(inner))
        return F.relu(inner + self.downsample(features), inplace=True)


class _AtrousPyramid(nn.Module):
    """Convolutions at several dilations and the mean of everything, joined (ASPP)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.point = _norm_relu(nn.Conv2d(n_in, n_out, 1, bias=False), n=n_out)
        self.atrous = nn.ModuleList(
            _norm_relu(nn.Conv2d(n_in, n_out, 3, padding=rate, dilation=rate, bias=False), n=n_out)
            for rate in _ATROUS_RATES
        )
        self.mean = _norm_relu(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(n_in, n_out, 1, bias=False), n=n_out
        )
        n_branches = 2 + len(_ATROUS_RATES)
        self.project = _norm_relu(nn.Conv2d(n_branches * n_out, n_out, 1, bias=False), n=n_out)
        self.dropout = nn.Dropout(0.2)

    def forward(self, features: Tensor) -> Tensor:
        mean = self.mean(features).expand(-1, -1, *features.shape[-2:])
        branches = [self.point(features), *(branch(features) for branch in self.atrous), mean]
        joined: Tensor = self.dropout(self.project(torch.cat(branches, dim=1)))
        return joined


class ResNetBackbone(nn.Module):
    """Fuses both embeddings after the stem's first convolution; 23 million parameters."""

    n_channels = 128
    stride = 8

    def __init__(self) -> None:
        super().__init__()
        self.guidance = GuidanceBranch()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        stages, n_in = [], 64
        for n_out, n_blocks, stride, dilation in _STAGES:
            begins = max(1, dilation // 2)  # a stage's first convolution has half its dilation
            blocks = [BasicBlock(n_in, n_out, stride=stride, dilations=(begins, dilation))]
            blocks += [
                BasicBlock(n_out, n_out, dilations=(dilation, dilation))
                for _ in range(n_blocks - 1)
            ]
            stages.append(nn.Sequential(*blocks))
            n_in = n_out
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        n = self.n_channels
        self.pyramid = _AtrousPyramid(n_in, n)
        self.skip = _norm_relu(nn.Conv2d(64, _N_SKIP, 1, bias=False), n=_N_SKIP)
        self.decode = nn.Sequential(
            SeparableConvolution(n + _N_SKIP, n), SeparableConvolution(n, n), nn.Conv2d(n, n, 1)
        )

    def forward(self, image: Tensor, guidance: Tensor) -> Tensor:
        """Return features float32 `[B, 128, H/4, W/4]`.

        Args:
            image: Normalised image float32 `[B, 3, H, W]`, H and W multiples of `stride`.
            guidance: Previous map, modulated map and click maps float32 `[B, 4, H, W]`.
        """
        stem = F.relu(self.bn1(self.conv1(image))) + self.guidance(guidance)
        fine = self.layer1(F.max_pool2d(stem, 3, stride=2, padding=1))
        coarse = self.pyramid(self.layer4(self.layer3(self.layer2(fine))))
        raised = F.interpolate(coarse, fine.shape[-2:], mode="bilinear", align_corners=True)
        features: Tensor = self.decode(torch.cat([raised, self.skip(fine)], dim=1))
        return features
