"""How the replicas are, told by the process that looks after them to all workers of a front."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from mfp_model.files import write_atomically

_FILE = "replicas.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicasState:
    """How they are.

    Attributes:
        phase: Whether they can be asked, or never will.
        address: Ray's, empty as long as it is not there.
        n_running: Replicas that serve.
        n_wanted: Replicas that should.
        message: What is wrong; empty for nothing.
    """

    phase: Literal["starting", "serving", "failed"] = "starting"
    address: str = ""
    n_running: int = 0
    n_wanted: int = 0
    message: str = ""

    def is_written(self, shared_dir: Path) -> bool:
        """Return whether there is a file of it; it may have been removed."""
        return (shared_dir / _FILE).exists()

    def write(self, shared_dir: Path) -> None:
        """Tell the workers.

        Raises:
            OSError: The folder cannot be written.
        """
        write_atomically(shared_dir / _FILE, json.dumps(asdict(self)).encode())


def read_replicas(shared_dir: Path | None) -> ReplicasState | None:
    """Return how they are; None where this process computes by itself."""
    if shared_dir is None:
        return None
    try:
        return ReplicasState(**json.loads((shared_dir / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
