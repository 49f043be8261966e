"""Pickles that others wrote: tensors and plain containers, and no class that a pickle names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mfp_model.errors import CheckpointError, reason_of


def read_pickle(path: Path) -> Any:  # noqa: ANN401, whatever lies in it
    """Return what a file holds, its tensors on the CPU.

    Raises:
        CheckpointError: The file is missing or damaged, or names classes.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a cut or damaged pickle makes the unpickler raise anything
        raise CheckpointError(
            f"{path}: expected a pickle of tensors and plain containers ({_reason_of(error)})"
        ) from None


def _reason_of(error: Exception) -> str:
    """Without PyTorch's advice to trust the file, which it gives first."""
    named = re.search(r"GLOBAL (\S+)", str(error))
    if named:
        return f"it names {named[1]}"
    return (
        "PyTorch did not write it" if "Weights only load failed" in str(error) else reason_of(error)
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a state dict by name, also of one under `state_dict` or `model`.

    Raises:
        CheckpointError: As of `read_pickle`, or there is no state dict.
    """
    content = read_pickle(path)
    weights = content
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            weights = content[key]
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise CheckpointError(f"{path}: expected a state dict, or one under 'state_dict'")
    return dict(weights)
