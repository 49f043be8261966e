"""`mfp serve`: the application under gunicorn."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.config import KNOWN_SETTINGS

from backend.monitoring.logs import log_config
from backend.settings import Settings
from backend.storage.data_folder import DataFolder
from mfp_model.errors import ConfigError

_SETTING_NAMES = frozenset(setting.name for setting in KNOWN_SETTINGS)
_SPARE_THREADS = 4  # for health, metrics and webhooks while all places are taken
_MEMORY_DIR = Path("/dev/shm")
_NEEDED_BYTES = 8 << 20
_M_ARENA_MAX = -8  # in glibc's malloc.h


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings, shared_dir: Path, options: dict[str, Any]) -> None:
        self._settings = settings
        self._shared_dir = shared_dir
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        from backend.server.app import create_app  # in the worker, after the metrics' folder is set

        _limit_arenas()
        return create_app(self._settings, shared_dir=self._shared_dir)


def serve(
    settings: Settings, *, host: str, port: int, n_workers: int, n_threads: int | None = None
) -> None:
    """Serve until stopped by a signal; requests being answered are finished first.

    Each worker loads its own weights in the background and answers meanwhile. SIGHUP starts
    new workers, which load the checkpoint's file anew, and ends the old ones after their work.

    Args:
        settings: See `backend.settings`.
        host: Address to bind.
        port: Port to bind.
        n_workers: Processes.
        n_threads: Threads per process; by default enough that `/health` answers at any load.

    Raises:
        ConfigError: Other machines could reach the server without access control, or there are
            too few threads, or no place for what the workers share.
    """
    _check_access(settings, host)
    n_threads = n_threads or settings.max_waiting + _SPARE_THREADS
    if n_threads <= settings.max_waiting:
        raise ConfigError(
            f"--threads {n_threads}: expected more than MFP_MAX_WAITING={settings.max_waiting}, "
            "so that /health is answered while clicks are computed"
        )
    if not settings.n_torch_threads:
        n_cores = len(os.sched_getaffinity(0))
        settings = settings.with_torch_threads(max(1, n_cores // n_workers))
    DataFolder(settings.data_dir)  # now, and not in each worker, if it cannot be written
    shared_dir = _shared_dir()
    worker = _start_fine_tuning(settings)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared_dir)  # there is no other way to say it
    options = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": n_workers,
        "worker_class": "gthread",
        "threads": n_threads,
        "timeout": 120,
        "graceful_timeout": 30,
        "keepalive": 5,
        "logconfig_dict": log_config(settings.log_format),
        "child_exit": _forget_worker,
        "on_exit": lambda server: _end(worker, shared_dir),
    }
    if "control_socket_disable" in _SETTING_NAMES:  # newer ones put a socket file somewhere
        options["control_socket_disable"] = True
    _Server(settings, shared_dir, options).run()


def _start_fine_tuning(settings: Settings) -> subprocess.Popen[bytes]:
    """Start `mfp work`; it has the environment's settings, and ends with this process."""
    chosen = {"MFP_DATA_DIR": str(settings.data_dir), "MFP_DEVICE": settings.device}
    command = [sys.executable, "-m", "backend.cli", "work"]
    return subprocess.Popen(command, env={**os.environ, **chosen}, stdin=subprocess.DEVNULL)


def _end(worker: subprocess.Popen[bytes], shared_dir: Path) -> None:
    worker.terminate()  # a running job saves its state, and goes on after the next start
    shutil.rmtree(shared_dir, ignore_errors=True)


def _limit_arenas() -> None:
    """Let the threads share memory that one of them freed.

    By default glibc gives nearly each its own: under four annotators 1.7 GB instead of 1.2.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 2)


def _check_access(settings: Settings, host: str) -> None:
    if settings.asks_for_password or settings.allows_open:
        return
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if not is_loopback:
        raise ConfigError(
            f"--host {host}: other machines could reach the server, and it asks for no password; "
            "set MFP_USERNAME and MFP_PASSWORD, or MFP_ALLOW_OPEN=true on a network that you trust"
        )


def _shared_dir() -> Path:
    """A new folder for metrics and journal, in memory where that is possible.

    Raises:
        ConfigError: There is no space for it anywhere.
    """
    failure: OSError | None = None
    for place in (_MEMORY_DIR, None):
        try:
            folder = Path(tempfile.mkdtemp(prefix="label-studio-mfp-", dir=place))
            (folder / "probe").write_bytes(bytes(_NEEDED_BYTES))
            (folder / "probe").unlink()
            return folder
        except OSError as error:
            failure = error
    raise ConfigError(
        f"no place for temporary files in {tempfile.gettempdir()} ({failure}): "
        "free some, or set TMPDIR to another folder"
    )


def _forget_worker(server: object, worker: Any) -> None:  # noqa: ANN401, gunicorn's
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
