"""Model versions on this machine."""

from __future__ import annotations

from pathlib import Path

import torch

from mfp_model.engines.device import has_fast_bf16
from mfp_model.weights.versions import IN_BF16, model_version


def served_version(checkpoint: Path) -> str:
    """What answers of a checkpoint carry here."""
    return model_version(checkpoint) + IN_BF16 * has_fast_bf16(torch.device("cpu"))
