"""Segmenters, finders and inpainters by name.

What a name stands for is imported when it is asked for, because it loads torch.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mfp_model.errors import ConfigError, check_choice
from mfp_model.names import (
    ENGINES,
    FINDERS,
    INPAINTERS,
    INPAINTERS_WITH_WEIGHTS,
    SEGMENTERS,
    UNET,
)
from mfp_model.segmenter import Segmenter
from mfp_model.weights import DEFAULT_WEIGHTS

if TYPE_CHECKING:
    from mfp_model.finding.finders import Finder
    from mfp_model.finding.inpainters import Inpainter

_File: TypeAlias = str | os.PathLike[str]


def load_segmenter(
    name: str = "mfp",
    *,
    checkpoint: _File | None = None,
    constants: _File | None = None,
    device: str = "auto",
    engine: str = "auto",
) -> Segmenter:
    """Return a segmenter ready to use.

    Args:
        name: One of `mfp_model.names.SEGMENTERS`.
        checkpoint: Weights, for `graph-cut-deep` those of the features; the shipped ones by
            default.
        constants: A file of `mfp tune-graph-cut`, for `graph-cut` and `graph-cut-deep`.
        device: `auto` (CUDA where there is one, else CPU), `cpu`, `cuda` or `cuda:N`.
        engine: What computes networks there: `auto`, `pytorch` or, on CPUs, `openvino`;
            `pytorch-f32` and `openvino-f32` in float32 on every processor. Graph cuts use none.

    Raises:
        ConfigError: Unknown name, device or engine, or a file that the segmenter has no use for.
        CheckpointError: The weights cannot be loaded.
    """
    check_choice("segmenter", name, SEGMENTERS)
    check_choice("engine", engine, ENGINES)
    weights = _path(checkpoint)
    if name.startswith("graph-cut"):
        return _graph_cut(name, checkpoint=weights, constants=_path(constants), device=device)
    if constants is not None:
        raise ConfigError(f"constants {constants}: segmenter {name} has no use for them")
    return dressed(name, _network(name, weights, device, engine))


def dressed(name: str, network: Segmenter) -> Segmenter:
    """Return the segmenter of that name around a network's: itself, or with more to it."""
    if name == "mfp-refined":
        from mfp_model.segmenters.refined import RefinedSegmenter

        return RefinedSegmenter(network)
    if name == "inpaint":
        from mfp_model.finding.inpainters import OpenCvInpainter
        from mfp_model.finding.layers import LayersConfig
        from mfp_model.segmenters.segment_and_inpaint import InpaintingSegmenter

        return InpaintingSegmenter(network, OpenCvInpainter("telea"), LayersConfig())
    return network


def load_finder(name: str, *, checkpoint: _File | None = None, device: str = "auto") -> Finder:
    """Return a finder.

    Args:
        name: One of `mfp_model.names.FINDERS`.
        checkpoint: For `mfp` a checkpoint, the shipped one by default; for `deeplab`
            torchvision's file.
        device: As in `load_segmenter`.

    Raises:
        ConfigError: Unknown name or device, or no file for `deeplab`.
        CheckpointError: The weights cannot be loaded.
    """
    check_choice("finder", name, FINDERS)
    from mfp_model.engines.device import best_device
    from mfp_model.finding.finders import ClickFinder, DeepLabFinder

    if name == "mfp":
        return ClickFinder(load_segmenter("mfp", checkpoint=checkpoint, device=device))
    if checkpoint is None:
        raise ConfigError("finder deeplab: expected a file of weights (mfp weights fetch)")
    return DeepLabFinder(Path(checkpoint), best_device(device))


def load_inpainter(name: str, *, weights: _File | None = None, device: str = "auto") -> Inpainter:
    """Return an inpainter.

    Args:
        name: One of `mfp_model.names.INPAINTERS`.
        weights: A TorchScript file, for `lama` and `mat`.
        device: As in `load_segmenter`.

    Raises:
        ConfigError: Unknown name or device, or weights missing or left over.
        CheckpointError: The weights cannot be loaded.
    """
    check_choice("inpainter", name, INPAINTERS)
    needs_weights = name in INPAINTERS_WITH_WEIGHTS
    if needs_weights != (weights is not None):
        expected = "a TorchScript file" if needs_weights else "no weights"
        raise ConfigError(f"inpainter {name}: got weights {weights}, expected {expected}")
    from mfp_model.engines.device import best_device
    from mfp_model.finding.inpainters import LamaInpainter, MatInpainter, OpenCvInpainter

    if weights is None:
        return OpenCvInpainter(name)
    kind = LamaInpainter if name == "lama" else MatInpainter
    return kind(Path(weights), best_device(device))


def _path(file: _File | None) -> Path | None:
    return None if file is None else Path(file)


def _network(name: str, checkpoint: Path | None, device: str, engine: str) -> Segmenter:
    from mfp_model.checkpoints.checkpoint import load_checkpoint
    from mfp_model.segmenters.mfp import MfpSegmenter

    wants_unet = name == "unet"
    if wants_unet and checkpoint is None:
        raise ConfigError("segmenter unet: expected a checkpoint, as mfp train --preset unet makes")
    loaded = load_checkpoint(checkpoint or DEFAULT_WEIGHTS)
    if (loaded.config.backbone == UNET) != wants_unet:
        raise ConfigError(
            f"segmenter {name}: {checkpoint} has a network of {loaded.config.backbone}"
        )
    return MfpSegmenter(loaded, device=device, engine=engine)


def _graph_cut(
    name: str, *, checkpoint: Path | None, constants: Path | None, device: str
) -> Segmenter:
    from mfp_model.graph_cut.constants import GraphCutConfig, load_config
    from mfp_model.segmenters.graph_cut import GraphCutSegmenter

    features = "deep" if name == "graph-cut-deep" else "rgb"
    config = load_config(constants) if constants else GraphCutConfig.default(features)
    if config.features != features:
        raise ConfigError(f"segmenter {name}: {constants} is for {config.features} features")
    if features == "rgb" and checkpoint is not None:
        raise ConfigError(f"checkpoint {checkpoint}: segmenter graph-cut has no use for it")
    return GraphCutSegmenter.load(config, checkpoint=checkpoint, device=device)
