"""Late fusion, which shows image and probability maps once more near the output; output heads.

Source: MFP, section 3.3 and the published implementation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class XceptionBlock(nn.Sequential):
    """Depthwise 3x3, BN, depthwise 3x3, pointwise 1x1, BN, ReLU; `n_in` to `n_out` channels."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in),
            nn.BatchNorm2d(n_in),
            nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in),
            nn.Conv2d(n_in, n_out, 1),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
        )


class LateFusion(nn.Module):
    """Joins backbone features with features of [image, P, modulated P].

    Args:
        n_channels: K, the backbone's width.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(5, 64, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, n_channels, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            XceptionBlock(n_channels, n_channels),
        )
        self.fuse = nn.Sequential(
            XceptionBlock(2 * n_channels, n_channels), XceptionBlock(n_channels, n_channels)
        )

    def forward(self, features: Tensor, image: Tensor, maps: Tensor) -> Tensor:
        """Return fused features `[B, K, H/4, W/4]`.

        Args:
            features: Backbone features `[B, K, H/4, W/4]`.
            image: Normalised image `[B, 3, H, W]`.
            maps: Previous and modulated probability map `[B, 2, H, W]`.
        """
        late = self.stem(torch.cat([image, maps], dim=1))
        fused: Tensor = self.fuse(torch.cat([features, late], dim=1))
        return fused


class SeparableConvolution(nn.Sequential):
    """Depthwise 3x3, pointwise 1x1, BN, ReLU; `n_in` to `n_out` channels."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in, bias=False),
            nn.Conv2d(n_in, n_out, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
        )


class PointHead(nn.Module):
    """One 1x1 convolution to a logit."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.logits = nn.Conv2d(n_channels, 1, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return logits `[B, 1, h, w]` of features `[B, K, h, w]`."""
        return (self.logits(features),)


class ShuffleHead(nn.Module):
    """One 1x1 convolution to the logits of each cell's four quarters."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.logits = nn.Conv2d(n_channels, 4, 1)
        weight, bias = self.logits.weight, self.logits.bias
        assert bias is not None
        with torch.no_grad():  # the quarters of a cell begin alike
            weight.copy_(weight[:1].clone().expand_as(weight))
            bias.zero_()

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return logits `[B, 1, 2h, 2w]` of features `[B, K, h, w]`."""
        return (nn.functional.pixel_shuffle(self.logits(features), 2),)


class IouHead(nn.Module):
    """Says how good a mask is: the logit of its IoU with the object that is meant.

    Source: Kirillov et al., "Segment Anything" (ICCV 2023): an IoU output trained along.
    """

    def __init__(self, n_channels: int, *, n_inner: int = 64) -> None:
        super().__init__()
        self.narrow = nn.Sequential(nn.Conv2d(n_channels, n_inner, 1), nn.ReLU(inplace=True))
        self.layers = nn.Sequential(
            nn.Linear(3 * n_inner + 2, n_inner), nn.ReLU(inplace=True), nn.Linear(n_inner, 1)
        )

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """Return the logits `[B]` of the IoUs.

        Args:
            features: Those that the mask was made of, `[B, K, h, w]`.
            logits: The mask's, `[B, 1, H, W]`; no gradient flows back to them.
        """
        height, width = features.shape[-2:]
        mask = logits.detach().float().sigmoid()
        mask = nn.functional.adaptive_avg_pool2d(mask, (height, width))
        doubt = mask * (1 - mask)  # highest along the outline
        cells = self.narrow(features).float()
        area, rim = mask.mean(dim=(2, 3)), doubt.mean(dim=(2, 3))
        parts = [
            (cells * weight).mean(dim=(2, 3)) / weight.mean(dim=(2, 3)).clamp_min(1e-4)
            for weight in (mask, doubt, torch.ones_like(mask))
        ]
        joined = torch.cat([*parts, area, rim], dim=1)
        verdict: Tensor = self.layers(joined)[:, 0]
        return verdict


class SeparableHead(nn.Module):
    """Two separable convolutions and a 1x1 convolution to a logit."""

    def __init__(self, n_channels: int, *, n_inner: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            SeparableConvolution(n_channels, n_inner),
            SeparableConvolution(n_inner, n_inner),
            nn.Conv2d(n_inner, 1, 1),
        )

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return logits `[B, 1, h, w]` of features `[B, K, h, w]`."""
        return (self.layers(features),)


class ObjectContextHead(nn.Module):
    """OCR: every pixel asks the object, as a first guess outlines it; and that guess's logits.

    Source: Yuan et al., "Object-Contextual Representations for Semantic Segmentation" (ECCV
    2020), with one class, as the published HRNet-18 uses it.
    """

    def __init__(self, n_channels: int, *, n_inner: int = 64) -> None:
        super().__init__()
        self.auxiliary = nn.Sequential(
            nn.Conv2d(n_channels, n_channels, 1),
            nn.BatchNorm2d(n_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_channels, 1, 1),
        )
        self.narrow = nn.Sequential(
            nn.Conv2d(n_channels, 2 * n_inner, 3, padding=1),
            nn.BatchNorm2d(2 * n_inner),
            nn.ReLU(inplace=True),
        )
        self.pixel_queries = nn.Sequential(
            *_pointwise(2 * n_inner, n_inner), *_pointwise(n_inner, n_inner)
        )
        self.object_keys = nn.Sequential(
            *_pointwise(2 * n_inner, n_inner), *_pointwise(n_inner, n_inner)
        )
        self.object_values = nn.Sequential(*_pointwise(2 * n_inner, n_inner))
        self.raise_context = nn.Sequential(*_pointwise(n_inner, 2 * n_inner))
        self.join = nn.Sequential(*_pointwise(4 * n_inner, 2 * n_inner), nn.Dropout2d(0.05))
        self.logits = nn.Conv2d(2 * n_inner, 1, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return logits and auxiliary logits `[B, 1, h, w]` of features `[B, K, h, w]`."""
        guess = self.auxiliary(features)
        features = self.narrow(features)
        share = guess.flatten(2).softmax(dim=2)  # [B, 1, h * w]
        summary = (share @ features.flatten(2).transpose(1, 2)).transpose(1, 2)[..., None]
        queries = self.pixel_queries(features)
        keys, values = self.object_keys(summary), self.object_values(summary)
        # With one class the attention over classes is a softmax over one number, which is 1;
        # written out so that more classes would only change the shapes.
        scores = queries.flatten(2).transpose(1, 2) @ keys.flatten(2)
        attention = (scores * queries.shape[1] ** -0.5).softmax(dim=-1)
        context = (attention @ values.flatten(2).transpose(1, 2)).transpose(1, 2)
        context = self.raise_context(context.unflatten(2, features.shape[-2:]))
        joined = self.join(torch.cat([context, features], dim=1))
        return self.logits(joined), guess


def _pointwise(n_in: int, n_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(n_in, n_out, 1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    ]
