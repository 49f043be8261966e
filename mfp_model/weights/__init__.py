"""Weights by name: those shipped with this package."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open

from mfp_model.errors import CheckpointError

DEFAULT_WEIGHTS = Path(__file__).parent / "lite2.safetensors"


def weights_version(path: Path) -> str:
    """Return the version in a checkpoint's header, without loading torch or the weights.

    Raises:
        CheckpointError: The file is missing or damaged, or has no version.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return str((file.metadata() or {})["version"])
    except (SafetensorError, OSError, KeyError) as error:
        raise CheckpointError(f"checkpoint {path}: no version to be read ({error!r})") from None
