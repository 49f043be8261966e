"""MFPResNetUNet: image and click maps in five channels, a ResNet-34 encoder, a U-Net decoder.

It knows no previous probability map: each answer is made of the image and the clicks alone.

Source: Ronneberger et al., "U-Net" (MICCAI 2015); He et al., "Deep Residual Learning" (CVPR 2016).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mfp_model.networks.backbones.resnet import BasicBlock
from mfp_model.networks.network import ClickNetwork, NetworkConfig, Outputs

_ENCODER = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # channels, blocks, stride
_DECODER = (256, 128, 64, 32)
_N_FINE = 32


class MFPResNetUNet(ClickNetwork):
    """Logits from the image and two click maps; 24 million parameters."""

    uses_maps = False

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.conv1 = nn.Conv2d(5, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        stages, n_in = [], 64
        for n_out, n_blocks, stride in _ENCODER:
            blocks = [BasicBlock(n_in, n_out, stride=stride)]
            blocks += [BasicBlock(n_out, n_out) for _ in range(n_blocks - 1)]
            stages.append(nn.Sequential(*blocks))
            n_in = n_out
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        skips = (256, 128, 64, 64)
        self.raises = nn.ModuleList(
            _RaiseBlock(n_below, n_skip, n_out)
            for n_below, n_skip, n_out in zip((n_in, *_DECODER), skips, _DECODER, strict=False)
        )
        self.fine = _RaiseBlock(_DECODER[-1], 0, _N_FINE)
        self.logits = nn.Conv2d(_N_FINE, 1, 1)

    def small_outputs(self, image: Tensor, maps: Tensor, click_maps: Tensor) -> Outputs:
        """Return logits `[B, 1, H, W]`; see `ClickNetwork.small_outputs`."""
        stem = F.relu(self.bn1(self.conv1(torch.cat([image, click_maps], dim=1))))
        skips = [stem]
        features = F.max_pool2d(stem, 3, stride=2, padding=1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            features = stage(features)
            skips.append(features)
        features = skips.pop()
        for block in self.raises:
            features = block(features, [skips.pop()])
        return Outputs(logits=self.logits(self.fine(features, [])))


class _RaiseBlock(nn.Module):
    """Twice the resolution, joined with the encoder's features there, two convolutions."""

    def __init__(self, n_below: int, n_skip: int, n_out: int) -> None:
        super().__init__()
        self.convolve = nn.Sequential(
            nn.Conv2d(n_below + n_skip, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
        )

    def forward(self, below: Tensor, skips: Sequence[Tensor]) -> Tensor:
        raised = F.interpolate(below, scale_factor=2.0, mode="bilinear", align_corners=False)
        features: Tensor = self.convolve(torch.cat([raised, *skips], dim=1))
        return features
