"""What a training run needs to go on after a kill, in one atomic file."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from mfp_model.checkpoints.pickles import read_pickle
from mfp_model.checkpoints.tensors import check_tensors
from mfp_model.errors import CheckpointError
from mfp_model.files import write_atomically
from mfp_model.networks.network import ClickNetwork
from mfp_model.training import ranks
from mfp_model.training.adversary import Adversary


@dataclass(slots=True, kw_only=True, eq=False)
class TrainingState:
    """The parts of a run that change.

    Attributes:
        network: The newest weights.
        averaged: Their average.
        optimiser: Its moments.
        n_seen: Samples that gave loss.
        n_drawn: Samples that this rank has taken from the data sets.
        rounds: The samples in work, see `StreamedRounds.state_dict`, and the phase they are of.
        judged_by: The held-out samples that it was validated on so far, in words.
        best_score: The best validation score on these so far.
        n_worse: Validations since then.
        adversary: The discriminator where there is one.
        provenance: What is known of the run, see `mfp_model.training.provenance`; nothing before
            it.
        earlier: The same of runs with other data or values that this one goes on from, each with
            the `n_seen` at its end.
    """

    network: ClickNetwork
    averaged: AveragedModel
    optimiser: Optimizer
    n_seen: int = 0
    n_drawn: int = 0
    rounds: dict[str, Tensor] = field(default_factory=dict)
    phase: int = -1
    judged_by: str = ""
    best_score: float = -1.0
    n_worse: int = 0
    adversary: Adversary | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    earlier: list[dict[str, Any]] = field(default_factory=list)

    def begin(self, provenance: dict[str, Any]) -> None:
        """Take over what is known of a run that begins, or goes on with other values."""
        provenance = json.loads(json.dumps(provenance))  # as it comes back from a file
        if self.provenance and self.provenance != provenance:
            self.earlier = [*self.earlier, {**self.provenance, "n_seen": self.n_seen}]
        self.provenance = provenance

    def begin_judging(self, judged_by: str) -> None:
        """Take over what a run is validated on; scores on other samples are not comparable."""
        if self.judged_by not in ("", judged_by):
            self.best_score, self.n_worse = -1.0, 0
        self.judged_by = judged_by


def save_state(state: TrainingState, path: Path) -> None:
    """Write the state to `path`, atomically; every rank must call it, the first one writes."""
    rounds = {name: value.cpu() for name, value in state.rounds.items()}
    parts = ranks.gathered({"n_drawn": state.n_drawn, "rounds": rounds})
    if ranks.rank() != 0:
        return
    content = {
        "network": state.network.state_dict(),
        "averaged": state.averaged.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "n_seen": state.n_seen,
        "phase": state.phase,
        "judged_by": state.judged_by,
        "best_score": state.best_score,
        "n_worse": state.n_worse,
        "ranks": parts,
        "adversary": state.adversary.state_dict() if state.adversary else None,
        "told": state.provenance,
        "earlier": state.earlier,
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def load_state(state: TrainingState, path: Path) -> None:
    """Fill the state from `path`; a path without a file leaves it as it is.

    With another number of ranks than it was written by, the samples in work are given up, and
    those after the last that any rank has drawn come next.

    Raises:
        CheckpointError: The file is damaged or belongs to another network.
    """
    if not path.exists():
        return
    try:
        content = read_pickle(path)
        check_tensors(content["network"], state.network.state_dict())
        state.network.load_state_dict(content["network"])
        state.averaged.load_state_dict(content["averaged"])
        state.optimiser.load_state_dict(content["optimiser"])
        for name in ("n_seen", "phase", "best_score", "n_worse"):
            setattr(state, name, content[name])
        state.judged_by = content.get("judged_by", "")
        state.provenance, state.earlier = content.get("told", {}), content.get("earlier", [])
        parts = content["ranks"]
        n_drawn = max(part["n_drawn"] for part in parts) * len(parts)
        state.n_drawn = -(-n_drawn // ranks.n_ranks())  # none is drawn again
        if len(parts) == ranks.n_ranks():
            state.n_drawn = parts[ranks.rank()]["n_drawn"]
            state.rounds = parts[ranks.rank()]["rounds"]
        if state.adversary and content["adversary"]:
            state.adversary.load_state_dict(content["adversary"])
    except (CheckpointError, RuntimeError, LookupError, TypeError, ValueError) as error:
        raise CheckpointError(f"training state {path}: cannot be resumed ({error})") from None
