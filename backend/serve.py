"""`mfp serve`: the application under gunicorn."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.config import KNOWN_SETTINGS

from backend.app import create_app
from backend.settings import Settings

_SETTING_NAMES = frozenset(setting.name for setting in KNOWN_SETTINGS)


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        self._settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._settings)


def serve(settings: Settings, *, host: str, port: int, n_workers: int, n_threads: int) -> None:
    """Serve until stopped by a signal; requests being answered are finished first.

    Each worker loads its own weights in the background and answers meanwhile.

    Args:
        settings: See `backend.settings`.
        host: Address to bind.
        port: Port to bind.
        n_workers: Processes.
        n_threads: Threads per process; more than one, so that `/health` answers during clicks.
    """
    if not settings.n_torch_threads:
        n_cores = len(os.sched_getaffinity(0))
        settings = settings.with_torch_threads(max(1, n_cores // n_workers))
    options = {
        "bind": f"{host}:{port}",
        "workers": n_workers,
        "worker_class": "gthread",
        "threads": n_threads,
        "timeout": 120,
        "graceful_timeout": 30,
        "keepalive": 5,
    }
    if "control_socket_disable" in _SETTING_NAMES:  # newer ones put a socket file somewhere
        options["control_socket_disable"] = True
    _Server(settings, options).run()
