"""The two servers of the demo as child processes: free ports, starting, waiting, stopping."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from mfp_model.errors import MfpError
from mfp_model.files import write_atomically

USER = "demo@example.com"
PASSWORD = "click-and-label"
TOKEN = "c11cc11cc11cc11cc11cc11cc11cc11cc11cc11c"
_DATABASE = "label_studio.sqlite3"
_STOP_WAIT_S = 15.0
_POLL_S = 0.1


class ServerError(MfpError):
    """A server that did not start or ended by itself."""


def free_port(wanted: int = 0) -> int:
    """Return a port of the loopback address that is free.

    Args:
        wanted: The first one that will do; 0 takes any, which others hardly get as well.

    Raises:
        ServerError: All of 200 are taken.
    """
    for port in range(wanted, wanted + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port if wanted else 0))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServerError(f"no free port in {wanted}..{wanted + 199}")


@dataclass(slots=True, kw_only=True, eq=False)
class Server:
    """A child process that answers HTTP.

    Attributes:
        name: For messages.
        url: Where it answers.
        log: File with all it printed.
        process: The process, leader of its own group.
    """

    name: str
    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def wait(self, *, limit_s: float, tick: Callable[[], None] = lambda: None) -> None:
        """Return when `/health` answers 200.

        Args:
            limit_s: Give up after this many seconds.
            tick: Called about once a second while waiting.

        Raises:
            ServerError: The process ended, or the limit passed.
        """
        until, next_tick = time.monotonic() + limit_s, 0.0
        while (now := time.monotonic()) < until:
            if self.process.poll() is not None:
                raise ServerError(
                    f"{self.name} ended with {self.process.returncode}, see {self.log}"
                )
            try:
                if requests.get(f"{self.url}/health", timeout=5).status_code == 200:
                    return
            except requests.RequestException:
                pass
            if now >= next_tick:
                tick()
                next_tick = now + 1.0
            time.sleep(_POLL_S)
        raise ServerError(f"{self.name} does not answer after {limit_s:g} s, see {self.log}")

    @contextmanager
    def running(self, *, limit_s: float) -> Iterator[Server]:
        """Wait as in `wait`, and end the process in the end."""
        try:
            self.wait(limit_s=limit_s)
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """End the process and its children, with force after a while."""
        for ending in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, ending)
            except ProcessLookupError:
                return
            try:
                self.process.wait(_STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                continue


def start_label_studio(
    environment: Path, data: Path, *, port: int, local_files: Path | None = None
) -> Server:
    """Start Label Studio from its own virtual environment, SQLite, for this machine only.

    Args:
        environment: The virtual environment. A new database is a copy of the empty one in its
            folder `database`, where there is one.
        data: Folder for its database and uploads.
        port: Port of the loopback address.
        local_files: Root of the folders that a local-files storage may serve.
    """
    variables = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_USERNAME": USER,
        "LABEL_STUDIO_PASSWORD": PASSWORD,
        "LABEL_STUDIO_USER_TOKEN": TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",  # read at the very first start only
        "USE_DEFAULT_BANNED_SUBNETS": "false",  # else it refuses a backend on this machine
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LATEST_VERSION_CHECK": "false",
    }
    if local_files is not None:
        variables["LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED"] = "true"
        variables["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"] = str(local_files)
    command = [str(environment / "bin" / "label-studio"), "start", "--no-browser"]
    command += ["--internal-host", "127.0.0.1", "-p", str(port)]
    data.mkdir(parents=True, exist_ok=True)
    empty, database = environment / "database" / _DATABASE, data / _DATABASE
    if empty.exists() and not database.exists():
        write_atomically(database, empty.read_bytes())
    url = f"http://127.0.0.1:{port}"
    return start_server("Label Studio", command, variables, url=url, log=data / "label-studio.log")


def start_backend(
    log: Path,
    *,
    port: int,
    label_studio_url: str,
    n_workers: int = 1,
    host: str = "127.0.0.1",
    settings: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
) -> Server:
    """Start `mfp serve` with the shipped weights.

    Args:
        log: File for all it prints.
        port: Port to bind.
        label_studio_url: Where it fetches images.
        n_workers: Worker processes.
        host: Address to bind; the loopback address is always among them.
        settings: Further environment variables.
        arguments: Further ones of the command.
    """
    variables = {
        "LABEL_STUDIO_URL": label_studio_url,
        "LABEL_STUDIO_API_KEY": TOKEN,
        "MFP_DATA_DIR": str(log.parent / "backend-data"),
        **(settings or {}),
    }
    command = [sys.executable, "-m", "backend.cli", "serve", "--port", str(port)]
    command += ["--workers", str(n_workers), "--host", host, *arguments]
    url = f"http://127.0.0.1:{port}"
    return start_server("the backend", command, variables, url=url, log=log)


def start_server(
    name: str, command: list[str], variables: Mapping[str, str], *, url: str, log: Path
) -> Server:
    """Start a command that serves `url`.

    Args:
        name: For messages.
        command: Program and arguments.
        variables: Added to the environment.
        url: Where it will answer, `/health` too.
        log: File for all it prints.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process only, which stops the others
        )
    return Server(name=name, url=url, log=log, process=process)
