"""Segmenters by name, see `mfp_model.segmenters.load_segmenter`."""

from __future__ import annotations

from pathlib import Path

from mfp_model.checkpoints.checkpoint import load_checkpoint
from mfp_model.errors import ConfigError
from mfp_model.finding.inpainters import OpenCvInpainter
from mfp_model.finding.layers import LoopConfig
from mfp_model.graph_cut.config import GraphCutConfig, load_config
from mfp_model.names import UNET
from mfp_model.segmenters import Segmenter
from mfp_model.segmenters.behind import InpaintingSegmenter
from mfp_model.segmenters.graph_cut import GraphCutSegmenter
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.segmenters.refined import RefinedSegmenter
from mfp_model.weights import DEFAULT_WEIGHTS, UNET_WEIGHTS


def load(
    name: str, *, checkpoint: Path | None, constants: Path | None, device: str, engine: str
) -> Segmenter:
    """Return the segmenter of that name, which is a known one."""
    if name.startswith("graph-cut"):
        return _graph_cut(name, checkpoint=checkpoint, constants=constants, device=device)
    if constants is not None:
        raise ConfigError(f"constants {constants}: segmenter {name} has no use for them")
    return dressed(name, _network(name, checkpoint, device, engine))


def dressed(name: str, network: Segmenter) -> Segmenter:
    """Return the segmenter of that name around a network's: itself, or with more to it."""
    if name == "mfp-refined":
        return RefinedSegmenter(network)
    if name == "inpaint":
        return InpaintingSegmenter(network, OpenCvInpainter("telea"), LoopConfig())
    return network


def _network(name: str, checkpoint: Path | None, device: str, engine: str) -> MfpSegmenter:
    wants_unet = name == "unet"
    loaded = load_checkpoint(checkpoint or (UNET_WEIGHTS if wants_unet else DEFAULT_WEIGHTS))
    if (loaded.config.backbone == UNET) != wants_unet:
        raise ConfigError(
            f"segmenter {name}: {checkpoint} has a network of {loaded.config.backbone}"
        )
    return MfpSegmenter(loaded, device=device, engine=engine)


def _graph_cut(
    name: str, *, checkpoint: Path | None, constants: Path | None, device: str
) -> GraphCutSegmenter:
    features = "deep" if name == "graph-cut-deep" else "rgb"
    config = load_config(constants) if constants else GraphCutConfig.default(features)
    if config.features != features:
        raise ConfigError(f"segmenter {name}: {constants} is for {config.features} features")
    if features == "rgb" and checkpoint is not None:
        raise ConfigError(f"checkpoint {checkpoint}: segmenter graph-cut has no use for it")
    return GraphCutSegmenter.load(config, checkpoint=checkpoint, device=device)
