"""Segmenters as the settings want them, each loaded when it is first asked for."""

from __future__ import annotations

from pathlib import Path

from backend.models.begun import BegunVersions
from backend.models.downloads import fetch_weights
from backend.models.memory import give_back
from backend.models.segmenter_choice import SegmenterChoice
from backend.models.served import ServedModels
from backend.models.version_bucket import fetched
from backend.settings import Settings
from mfp_model.errors import CheckpointError
from mfp_model.loading import dressed, load_segmenter
from mfp_model.segmenter import Segmenter


def choice_of(settings: Settings, models: ServedModels, versions: BegunVersions) -> SegmenterChoice:
    """Return the choice among segmenters that the settings describe."""

    def load(name: str) -> Segmenter:
        return load_other(name, settings)

    return SegmenterChoice(models, versions, load, dressed, settings.segmenter)


def load_mfp(checkpoint: Path | None, settings: Settings) -> Segmenter:
    """Return MFP with the weights of a file, None for the one of the settings.

    Raises:
        ConfigError: Unknown device or engine.
        CheckpointError: The file cannot be loaded.
        RegistryError: It is that of a version in the bucket, which cannot be copied just now.
    """
    if settings.n_torch_threads:  # first: engines take as many
        import cv2
        import torch

        torch.set_num_threads(settings.n_torch_threads)
        cv2.setNumThreads(settings.n_torch_threads)
    segmenter = load_segmenter(
        "mfp",
        checkpoint=fetched(checkpoint, settings) or settings.checkpoint,
        device=settings.device,
        engine=settings.engine,
    )
    give_back()
    return segmenter


def load_other(name: str, settings: Settings) -> Segmenter:
    """Return a segmenter that is not built around MFP; errors as of `load_mfp`."""
    return load_segmenter(
        name,
        checkpoint=_weights(name, settings),
        constants=_constants(name, settings),
        device=settings.device,
        engine=settings.engine,
    )


def _constants(name: str, settings: Settings) -> Path | None:
    """The constants that were placed for a graph cut."""
    features = {"graph-cut": "rgb", "graph-cut-deep": "deep"}.get(name)
    return settings.graph_cut_constants(features) if features else None


def _weights(name: str, settings: Settings) -> Path | None:
    """The weights that were placed for a segmenter, None for the shipped ones or without any."""
    if name == "unet":
        return settings.cache_dir / "unet.safetensors"
    return _fetched("imagenet-resnet50", settings) if name == "graph-cut-deep" else None


def _fetched(name: str, settings: Settings) -> Path | None:
    """The path of published weights that are in the cache folder already, else None."""
    try:
        return fetch_weights(name, settings.cache_dir, is_offline=True)
    except CheckpointError:
        return None
