"""What a training run needs to go on after a kill, in one atomic file."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from mfp_model.checkpoint import write_atomically
from mfp_model.errors import CheckpointError
from mfp_model.network import MfpNetwork


@dataclass(slots=True, kw_only=True, eq=False)
class TrainingState:
    """The parts of a run that change: weights, their average, the optimiser, samples seen."""

    network: MfpNetwork
    averaged: AveragedModel
    optimiser: Optimizer
    n_seen: int = 0


def save_state(state: TrainingState, path: Path) -> None:
    """Write the state to `path`, atomically."""
    buffer = io.BytesIO()
    content = {
        "network": state.network.state_dict(),
        "averaged": state.averaged.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "n_seen": state.n_seen,
    }
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def load_state(state: TrainingState, path: Path) -> None:
    """Fill the state from `path`; a path without a file leaves it as it is.

    Raises:
        CheckpointError: The file is damaged or belongs to another network.
    """
    if not path.exists():
        return
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state.network.load_state_dict(content["network"])
        state.averaged.load_state_dict(content["averaged"])
        state.optimiser.load_state_dict(content["optimiser"])
        state.n_seen = int(content["n_seen"])
    except (OSError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"training state {path}: cannot be resumed ({error})") from None
