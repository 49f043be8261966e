"""EfficientNet-Lite2 with guidance behind its stem, and a feature pyramid.

Source: Tan and Le, "EfficientNet" (ICML 2019), and its Lite variants: no squeeze-and-excitation,
ReLU6, a stem that does not grow. The batch norms are folded into the convolutions, which trains
half as fast again; `mfp_model.checkpoints.published` folds those of a published file.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mfp_model.networks.backbones.attention import GlobalAttention
from mfp_model.networks.backbones.pyramid import FeaturePyramid
from mfp_model.networks.image_input import IMAGE_MEAN, IMAGE_STD

_N_STEM = 32
# Of Lite2: blocks, kernel, stride, expansion, width.
STAGES = (
    (1, 3, 1, 1, 16),
    (3, 3, 2, 6, 24),
    (3, 5, 2, 6, 48),
    (4, 3, 2, 6, 88),
    (4, 5, 1, 6, 120),
    (5, 5, 2, 6, 208),
    (1, 3, 1, 6, 352),
)
_LEVELS = (1, 2, 4, 6)  # the stages whose ends are strides 4, 8, 16 and 32
_N_COARSEST = 288
_PUBLISHED_MEAN, _PUBLISHED_STD = 127 / 255, 128 / 255  # what the published weights expect


class EfficientNetLiteBackbone(nn.Module):
    """Fuses image and guidance and returns features float32 `[B, 80, H/4, W/4]`.

    Guidance (previous map, modulated map, two click maps) is embedded and added behind the stem,
    as in MFP, and once more at 1/4, where it begins at zero.
    """

    n_channels = 80
    stride = 32
    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _N_STEM, 3, stride=2, padding=1)
        self.guidance = nn.Sequential(
            nn.Conv2d(4, _N_STEM, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(_N_STEM, _N_STEM, 3, padding=1),
        )
        self.stages = _stages()
        widths = [STAGES[index][-1] for index in _LEVELS]
        self.late_guidance = nn.Sequential(
            nn.Conv2d(4, 32, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 48, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(48, widths[0], 1),
        )
        last = self.late_guidance[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.narrow = nn.Conv2d(widths[-1], _N_COARSEST, 1)
        self.attention = GlobalAttention(_N_COARSEST)
        self.pyramid = FeaturePyramid((*widths[:-1], _N_COARSEST), self.n_channels)
        mean, std = (torch.tensor(x, dtype=torch.float32) for x in (IMAGE_MEAN, IMAGE_STD))
        self.register_buffer("scale", std / _PUBLISHED_STD, persistent=False)
        shift = (mean - _PUBLISHED_MEAN) / _PUBLISHED_STD
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, image: Tensor, guidance: Tensor) -> Tensor:
        """Return the features.

        Args:
            image: Normalised image float32 `[B, 3, H, W]`, H and W multiples of `stride`.
            guidance: Previous map, modulated map and click maps float32 `[B, 4, H, W]`.
        """
        features = _begun(self, image, guidance)
        levels = []
        for index, stage in enumerate(self.stages):
            features = stage(features)
            if index == _LEVELS[0]:
                features = features + self.late_guidance(guidance)
            if index in _LEVELS:
                levels.append(features)
        levels[-1] = self.attention(self.narrow(levels[-1]))
        merged: Tensor = self.pyramid(levels)
        return merged


class FirstLayers(nn.Module):
    """The layers that tell what an image looks like; they share a backbone's weights.

    They keep a hundredth of them, so that a network which another engine computes can go.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, backbone: EfficientNetLiteBackbone) -> None:
        super().__init__()
        self.stem, self.guidance = backbone.stem, backbone.guidance
        self.stages = backbone.stages[: _LEVELS[0] + 1]
        self.late_guidance = backbone.late_guidance
        self.register_buffer("scale", backbone.scale, persistent=False)
        self.register_buffer("shift", backbone.shift, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Return what an image looks like whatever is clicked, float32 `[B, 24, H/4, W/4]`.

        Args:
            image: Normalised image float32 `[B, 3, H, W]`, H and W multiples of 4.
        """
        guidance = image.new_zeros(len(image), 4, *image.shape[-2:])
        features = _begun(self, image, guidance)
        for stage in self.stages:
            features = stage(features)
        late: Tensor = features + self.late_guidance(guidance)
        return late


def _begun(
    layers: EfficientNetLiteBackbone | FirstLayers, image: Tensor, guidance: Tensor
) -> Tensor:
    rescaled = image * layers.scale[:, None, None] + layers.shift[:, None, None]
    return F.relu6(layers.stem(rescaled) + layers.guidance(guidance))


def _stages() -> nn.ModuleList:
    widths = (_N_STEM, *(width for *_, width in STAGES))
    stages = nn.ModuleList()
    for (n_in, n_out), (n_blocks, kernel, stride, expansion, _) in zip(
        pairwise(widths), STAGES, strict=True
    ):
        blocks = [_InvertedResidual(n_in, n_out, kernel, stride=stride, expansion=expansion)]
        blocks += [
            _InvertedResidual(n_out, n_out, kernel, stride=1, expansion=expansion)
            for _ in range(n_blocks - 1)
        ]
        stages.append(nn.Sequential(*blocks))
    return stages


class _InvertedResidual(nn.Module):
    """1x1 to more channels, depthwise, 1x1 back; added to the input where the shapes agree."""

    def __init__(self, n_in: int, n_out: int, kernel: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        n_inner = n_in * expansion
        self.expand = nn.Conv2d(n_in, n_inner, 1) if expansion > 1 else None
        self.depthwise = _DepthwiseConvolution(n_inner, kernel, stride=stride)
        self.project = nn.Conv2d(n_inner, n_out, 1)
        self.is_residual = stride == 1 and n_in == n_out

    def forward(self, features: Tensor) -> Tensor:
        inner = features
        if self.expand is not None:
            inner = F.relu6(self.expand(inner), inplace=True)
        projected: Tensor = self.project(F.relu6(self.depthwise(inner), inplace=True))
        return features + projected if self.is_residual else projected


class _DepthwiseConvolution(nn.Conv2d):
    """Computed in float32 while training on a CPU.

    Its backward pass in bfloat16 is 5 to 15 times slower there.
    """

    def __init__(self, n_channels: int, kernel: int, *, stride: int) -> None:
        super().__init__(
            n_channels, n_channels, kernel, stride, padding=kernel // 2, groups=n_channels
        )

    def forward(self, features: Tensor) -> Tensor:
        if not self.training or features.is_cuda:
            return super().forward(features)
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())
