"""`mfp serve`: the application under gunicorn."""

from __future__ import annotations

import ipaddress
import logging
import logging.config
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.config import KNOWN_SETTINGS

from backend.cores import n_cores, wait_asleep
from backend.models.memory import limit_arenas
from backend.monitoring.journal import Journal
from backend.monitoring.logs import log_config
from backend.server.connection_limits import ConnectionLimits
from backend.server.doorkeeper import Doorkeeper
from backend.server.fine_tuning import FineTuningProcess
from backend.server.preloading import import_for_workers
from backend.server.replicas import ReplicasChoice, ReplicasProcess, cluster_front
from backend.server.shared_memory import shared_folder
from backend.server.supervisor import Supervisor
from backend.settings import MEGABYTE, Settings
from backend.storage.errors import StorageError
from backend.storage.moving import upgrade_files
from backend.storage.shared_state import SharedState, journal_in, open_server
from mfp_model.errors import ConfigError, MfpError
from mfp_model.weights import DEFAULT_WEIGHTS
from mfp_model.weights.checking import check_weights

if TYPE_CHECKING:
    from gunicorn.workers.base import Worker

    from backend.server.service import Service

_SETTING_NAMES = frozenset(setting.name for setting in KNOWN_SETTINGS)
_SLOW_S, _REST_S = 3.0, 30.0  # of what notes errors
_SPARE_THREADS = 4  # for health, metrics and webhooks while all places are taken


class _Server(BaseApplication):  # type: ignore[misc]
    """What gunicorn runs.

    Attributes:
        shared_dir: The folder that the parent and all workers share.
        limits: What clients may do.
        has_others: Whether others serve already when a worker starts.
        service: A worker's parts, once they are made.
    """

    def __init__(
        self,
        settings: Settings,
        shared_dir: Path,
        options: dict[str, Any],
        replicas: ReplicasChoice | None,
    ) -> None:
        self._settings = settings
        self._replicas = replicas
        self._options = options
        self.shared_dir = shared_dir
        self.limits = ConnectionLimits(
            n_threads=options["threads"],
            max_body_bytes=int(settings.max_request_mb * MEGABYTE),
            may_enter=Doorkeeper(settings.username, settings.password).lets_in,
        )
        self.has_others = False
        self.service: Service | None = None
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        from backend.server.app import make_app  # in the worker, after the metrics' folder is set
        from backend.server.service import create_service

        limit_arenas()
        cluster = cluster_front(self._replicas, self.shared_dir)
        self.service = create_service(self._settings, shared_dir=self.shared_dir, cluster=cluster)
        return make_app(self._settings, self.service)

    def run(self) -> None:
        logging.config.dictConfig(log_config(self._settings.log_format))
        note = _Notes(self._settings, self.shared_dir).add
        fine_tuning = FineTuningProcess(self._settings, os.environ, self.shared_dir, note)
        replicas = None
        if self._replicas is not None:
            replicas = ReplicasProcess(
                self._replicas, self._settings, os.environ, self.shared_dir, note
            )
        self.cfg.set("on_exit", lambda server: _end(fine_tuning, replicas, self.shared_dir))
        self.cfg.set("child_exit", _forgetting(self.shared_dir))
        start = partial(import_for_workers, self._settings, computes=replicas is None)
        self.cfg.set("when_ready", lambda server: start())
        check = partial(_problem, self._settings)
        Supervisor(self, fine_tuning, check, note, replicas).run()


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    n_workers: int,
    n_threads: int | None = None,
    replicas: ReplicasChoice | None = None,
) -> None:
    """Serve until stopped by a signal; requests being answered are finished first.

    Each worker loads its own weights in the background and answers meanwhile. SIGHUP starts
    new workers, which load the checkpoint's file anew, and ends the old ones once those can answer.
    They are forks of this process: a changed installation takes a restart.

    Args:
        settings: See `backend.settings`.
        host: Address to bind.
        port: Port to bind.
        n_workers: Processes.
        n_threads: Threads per process; by default enough that `/health` answers at any load.
        replicas: Who computes, in place of the workers; None for these.

    Raises:
        ConfigError: Other machines could reach the server without access control, or there are
            too few threads, or no place for what the workers share. Or a server of an older
            version uses the data folder, or Ray is not installed.
        CheckpointError: The weights' file is missing or damaged.
    """
    _check_access(settings, host)
    n_threads = n_threads or settings.max_waiting + _SPARE_THREADS
    if n_threads <= settings.max_waiting:
        raise ConfigError(
            f"--threads {n_threads}: expected more than MFP_MAX_WAITING={settings.max_waiting}, "
            "so that /health is answered while clicks are computed"
        )
    if replicas is not None:
        from backend.cluster.connecting import prepare

        prepare(replicas.address, os.environ)
    elif not settings.n_torch_threads:
        settings = settings.with_torch_threads(max(1, n_cores() // n_workers))
    _prepare_state(settings)
    check_weights(settings.checkpoint or DEFAULT_WEIGHTS)
    wait_asleep(os.environ)
    shared_dir = shared_folder()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared_dir)  # there is no other way to say it
    options = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": n_workers,
        "worker_class": "backend.server.worker.ReadingWorker",
        "threads": n_threads,
        "timeout": 120,
        "graceful_timeout": 30,
        "logconfig_dict": log_config(settings.log_format),
    }
    if "control_socket_disable" in _SETTING_NAMES:  # newer ones put a socket file somewhere
        options["control_socket_disable"] = True
    _Server(settings, shared_dir, options, replicas).run()


def _prepare_state(settings: Settings) -> None:
    """Look at what the workers share, and upgrade it, now and not in each of them."""
    state = SharedState(*settings.places)
    if state.bucket is not None:
        state.bucket.check()
    if state.server is None:
        with suppress(StorageError):  # which the workers tell of, and outlive
            upgrade_files(state.data)


def _problem(settings: Settings) -> str | None:
    """Why new workers could not serve."""
    try:
        check_weights(settings.checkpoint or DEFAULT_WEIGHTS)
    except MfpError as error:
        return str(error)
    return None


class _Notes:
    """Puts errors onto the status page, wherever the workers have their journal.

    Nothing stays open: this process is forked. The data folder may be what is wrong.
    """

    def __init__(self, settings: Settings, shared_dir: Path) -> None:
        self._url = settings.database_url
        self._shared_dir = shared_dir
        self._rests_until = 0.0

    def add(self, error: Exception) -> None:
        """Note an error, which is logged already; for a while none, after a database took long.

        Workers that all end at once are told of one by one, by what also starts new ones.
        """
        began = time.monotonic()
        if began < self._rests_until:
            return
        server = open_server(self._url) if self._url else None
        database, name = journal_in(server, self._shared_dir)
        journal = Journal(database, server=name)
        journal.note_error(kind=type(error).__name__, message=str(error), request_id="-")
        if time.monotonic() - began > _SLOW_S:
            self._rests_until = time.monotonic() + _REST_S


def _end(
    fine_tuning: FineTuningProcess, replicas: ReplicasProcess | None, shared_dir: Path
) -> None:
    fine_tuning.end()
    if replicas is not None:
        replicas.end()
    shutil.rmtree(shared_dir, ignore_errors=True)


def _forgetting(shared_dir: Path) -> Callable[[Supervisor, Worker], None]:
    """Return what gunicorn calls when a worker has ended."""
    from backend.monitoring.ended_workers import EndedWorkers

    ended = EndedWorkers(shared_dir)
    return lambda supervisor, worker: ended.add(worker.pid, supervisor.WORKERS)


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
