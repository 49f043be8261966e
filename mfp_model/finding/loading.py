"""Finders by name."""

from __future__ import annotations

from pathlib import Path

from mfp_model.errors import ConfigError
from mfp_model.finding.finders import ClickFinder, DeepLabFinder, Finder
from mfp_model.names import FINDERS
from mfp_model.segmenters import load_segmenter
from mfp_model.segmenters.mfp import best_device


def load_finder(name: str, *, checkpoint: Path | None = None, device: str = "auto") -> Finder:
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
    if name == "mfp":
        return ClickFinder(load_segmenter("mfp", checkpoint=checkpoint, device=device))
    if name != "deeplab":
        raise ConfigError(f"finder {name!r}: expected one of {', '.join(FINDERS)}")
    if checkpoint is None:
        raise ConfigError("finder deeplab: expected a file of weights (mfp fetch-weights)")
    return DeepLabFinder(checkpoint, best_device(device))
