"""A published EfficientNet-Lite2 -> the encoder of ours, its batch norms folded away.

The published convolutions pad as TensorFlow does, ours symmetrically. That shifts the features of
strided convolutions by half a pixel at most, which training undoes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from mfp_model.errors import CheckpointError
from mfp_model.networks.backbones.efficientnet_lite import STAGES

_EPSILON = 1e-3  # of the published norms


def folded_encoder(weights: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the encoder's tensors under our names, float32.

    Args:
        weights: The published tensors: `_conv_stem`, `_bn0`, `_blocks.N._expand_conv` ...
        path: Where they come from, for messages.

    Raises:
        CheckpointError: A tensor is missing, or its shape does not fit its norm's.
    """
    folded: dict[str, Tensor] = {}
    for ours, convolution, norm in _layers():
        try:
            kernel = weights[f"{convolution}.weight"]
            names = ("weight", "bias", "running_mean", "running_var")
            weight, bias, mean, variance = (weights[f"{norm}.{name}"] for name in names)
            scale = weight / (variance + _EPSILON).sqrt()
            folded[f"backbone.{ours}.weight"] = kernel * scale[:, None, None, None]
            folded[f"backbone.{ours}.bias"] = bias - mean * scale
        except (KeyError, RuntimeError, IndexError) as error:
            raise CheckpointError(f"{path}: expected an EfficientNet-Lite2, {error}") from None
    return folded


def _layers() -> Iterator[tuple[str, str, str]]:
    """Our convolution, the published one and its norm, for every one of the encoder."""
    yield "stem", "_conv_stem", "_bn0"
    n_blocks = 0
    for stage, (n_repeats, _, _, expansion, _) in enumerate(STAGES):
        for block in range(n_repeats):
            ours, theirs = f"stages.{stage}.{block}", f"_blocks.{n_blocks}"
            if expansion > 1:
                yield f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0"
            yield f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1"
            yield f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2"
            n_blocks += 1
