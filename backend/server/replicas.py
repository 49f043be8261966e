"""`mfp replicas` beside the workers: started, watched, started again."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.cluster.front import ClusterFront
from backend.cluster.messages import ClusterError
from backend.cluster.replicas_state import ReplicasState, read_replicas
from backend.server.watched_process import WatchedProcess
from backend.settings import Settings

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S = 2.0
_CALM_S = 300.0  # after so long it counts as well again
_END_S = 25.0
_SECRETS = (
    "MFP_USERNAME",
    "MFP_PASSWORD",
    "MFP_DATABASE_URL",
    "LABEL_STUDIO_API_KEY",
)  # theirs not


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicasChoice:
    """What `mfp serve --ray` was told.

    Attributes:
        address: Ray's; empty to start one on this machine.
        n_replicas: How many; 0 for as many as there is room for.
    """

    address: str = ""
    n_replicas: int = 0


def cluster_front(choice: ReplicasChoice | None, shared_dir: Path) -> ClusterFront | None:
    """Return what a worker asks in place of computing itself, None for itself."""
    if choice is None:
        return None
    from backend.cluster.ray_replicas import RayReplicas
    from backend.cluster.register import SharedRegister

    may_have_others = bool(choice.address)
    return ClusterFront(
        replicas=RayReplicas(shared_dir),
        next_number=SharedRegister().next_number if may_have_others else None,
    )


class ReplicasProcess:
    """Starts `mfp replicas`, which ends with this process, and starts it again when it ends."""

    def __init__(
        self,
        choice: ReplicasChoice,
        settings: Settings,
        environment: Mapping[str, str],
        shared_dir: Path,
        note: Callable[[Exception], None],
    ) -> None:
        """Start it.

        Args:
            choice: Which replicas.
            settings: Their device.
            environment: The rest of their settings.
            shared_dir: Where workers read how they are.
            note: Puts an error onto the status page.
        """
        address = ["--address", choice.address] if choice.address else []
        self._command = [
            *(sys.executable, "-m", "backend.cli", "replicas"),
            *("--shared", str(shared_dir), "--parent", str(os.getpid())),
            *("--replicas", str(choice.n_replicas or "auto")),
            *address,
        ]
        kept = {name: value for name, value in environment.items() if name not in _SECRETS}
        self._environment = {**kept, "MFP_DEVICE": settings.device}
        self._shared_dir = shared_dir
        self._note = note
        self._last_message = ""
        self._process = WatchedProcess(
            "mfp replicas", self._started, self._tell, first_pause_s=_FIRST_PAUSE_S, calm_s=_CALM_S
        )

    def was_restarted(self) -> bool:
        """Start it again where it ended, and return whether it was: workers then connect anew."""
        self._look()
        return self._process.was_restarted()

    def end(self) -> None:
        """End it, with the Ray that it started."""
        self._process.end(kill_after_s=_END_S)

    def _look(self) -> None:
        """Put onto the status page what is wrong with replicas, once."""
        state = read_replicas(self._shared_dir)
        if state is not None and state.message != self._last_message:
            self._last_message = state.message
            if state.message:
                self._note(ClusterError(state.message))

    def _tell(self, message: str) -> None:
        _log.error("%s", message)
        self._note(ClusterError(message))

    def _started(self) -> subprocess.Popen[bytes]:
        ReplicasState().write(self._shared_dir)  # else workers read how the one before was
        return subprocess.Popen(self._command, env=self._environment, stdin=subprocess.DEVNULL)
