"""`mfp work` beside the workers: started, watched, started again."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from backend.server.watched_process import WatchedProcess
from backend.settings import Settings
from backend.storage.data_folder import DataFolder
from mfp_model.errors import ConfigError, MfpError
from mfp_model.files import write_atomically

_log = logging.getLogger(__name__)
_FILE = "fine-tuning.json"
_FIRST_PAUSE_S = 1.0
_CALM_S = 120.0  # after so long it counts as well again
# Clicks are answered on the same cores. OpenMP's threads, which spin while they wait for each other
# by default, made a step of training six times slower there.
_SHARES_CORES = {"OMP_WAIT_POLICY": "PASSIVE"}


class FineTuningError(MfpError):
    """`mfp work` ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuningState:
    """How `mfp work` is.

    Attributes:
        is_running: Whether it runs.
        n_restarts: How often it ended by itself since the server started.
        message: What happened last; empty for nothing.
    """

    is_running: bool = True
    n_restarts: int = 0
    message: str = ""


def read_state(shared_dir: Path | None) -> FineTuningState | None:
    """Return how `mfp work` is, None where no server watches one."""
    if shared_dir is None:
        return None
    try:
        return FineTuningState(**json.loads((shared_dir / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


class FineTuningProcess:
    """Starts `mfp work`, which ends with this process, and starts it again when it ends."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        shared_dir: Path,
        note: Callable[[Exception], None],
    ) -> None:
        """Start it.

        Args:
            settings: Its data folder and device.
            environment: The rest of its settings.
            shared_dir: Where workers read how it is.
            note: Puts an error onto the status page.
        """
        self._settings = settings
        self._environment = environment
        self._shared_dir = shared_dir
        self._note = note
        self._state = FineTuningState()
        self._data_file = _identity(DataFolder(settings.data_dir).root)
        self._process = WatchedProcess(
            "mfp work", self._started, self._tell, first_pause_s=_FIRST_PAUSE_S, calm_s=_CALM_S
        )
        self._write(self._state)

    def look(self) -> None:
        """Start it again where it ended; it waits longer each time."""
        if not (self._shared_dir / _FILE).exists():  # it was removed
            self._write(self._state)
        if self._process.was_restarted():
            message = self._state.message
            self._write(FineTuningState(n_restarts=self._state.n_restarts + 1, message=message))

    def was_moved(self) -> bool:
        """Return once whether the data folder is another than at the start; it is made anew."""
        if _identity(self._settings.data_dir) == self._data_file:
            return False
        try:
            self._data_file = _identity(DataFolder(self._settings.data_dir).root)
        except ConfigError as error:
            if self._state.message != str(error):
                self._tell(str(error))
            return False
        self._process.replace()
        return True

    def end(self) -> None:
        """End it; a running job saves its state, and goes on after the next start."""
        self._process.end()

    def _started(self) -> subprocess.Popen[bytes]:
        settings = self._settings
        chosen = {"MFP_DATA_DIR": str(settings.data_dir), "MFP_DEVICE": settings.device}
        command = [sys.executable, "-m", "backend.cli", "work", "--parent", str(os.getpid())]
        return subprocess.Popen(
            command, env={**_SHARES_CORES, **self._environment, **chosen}, stdin=subprocess.DEVNULL
        )

    def _tell(self, message: str) -> None:
        _log.error("%s", message)
        self._note(FineTuningError(message))
        self._write(
            FineTuningState(
                is_running=self._process.is_running,
                n_restarts=self._state.n_restarts,
                message=message,
            )
        )

    def _write(self, state: FineTuningState) -> None:
        self._state = state
        try:
            write_atomically(self._shared_dir / _FILE, json.dumps(asdict(state)).encode())
        except OSError as error:
            _log.warning("how `mfp work` is cannot be noted: %s", error)


def _identity(folder: Path) -> tuple[int, int]:
    try:
        state = folder.stat()
    except OSError:
        return 0, 0
    return state.st_dev, state.st_ino
