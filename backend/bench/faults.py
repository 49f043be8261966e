"""What a running server survives: faults one after another while somebody goes on clicking."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from backend.bench.annotator import SimulatedAnnotator
from backend.bench.server import Photo, bench_server
from backend.demo.processes import Server
from mfp_model.weights import DEFAULT_WEIGHTS

_SIZE = (1024, 768)
_N_SLOW = 200
_N_LEAVING = 30
_N_FUZZED = 300
_LIMIT_S = 90.0  # until all is well again
_CALM_S = 3.0  # of clicks after a fault
_PAUSE_S = 0.1  # between two clicks


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReport:
    """What one fault did.

    Attributes:
        fault: Its name.
        survived: Whether the server answers, ready, afterwards.
        longest_pause_ms: The longest that a click took meanwhile.
        n_clicks: Clicks answered meanwhile.
        n_lost: Clicks without a mask.
    """

    fault: str
    survived: bool
    longest_pause_ms: float
    n_clicks: int
    n_lost: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Target:
    """What faults are done to: a server, and the files that it uses."""

    server: Server
    data: Path
    checkpoint: Path

    def children(self, command: str) -> list[int]:
        """Process ids of the server's children."""
        asked = ["pgrep", "-P", str(self.server.process.pid), "-f", command]
        listed = subprocess.run(asked, capture_output=True, text=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]

    def kill(self, command: str) -> None:
        """Kill one child, which cannot notice."""
        os.kill(self.children(command)[0], signal.SIGKILL)


def bench_faults(*, report: Callable[[str], None]) -> list[FaultReport]:
    """Run a server of two workers, and each fault once; it takes some minutes.

    Args:
        report: Told the name of each fault before it.

    Raises:
        ConfigError: There is no `/proc`.
        ServerError: The server does not start.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        checkpoint = folder / "weights.safetensors"
        shutil.copyfile(DEFAULT_WEIGHTS, checkpoint)
        data = folder / "data"
        settings = {"MFP_CHECKPOINT": str(checkpoint), "MFP_DATA_DIR": str(data)}
        running = bench_server([_SIZE], settings=settings, n_workers=2)
        server, (photo,) = stack.enter_context(running)
        target = _Target(server=server, data=data, checkpoint=checkpoint)
        _wait_until_ready(server)
        reports = []
        for name, fault in _FAULTS.items():
            report(name)
            reports.append(_tried(name, fault, target, photo))
        return reports


def _tried(
    name: str, fault: Callable[[_Target], None], target: _Target, photo: Photo
) -> FaultReport:
    annotator = SimulatedAnnotator(url=target.server.url)
    clicks: list[float] = []
    is_over = threading.Event()

    def work() -> None:
        annotator.open(1, photo)
        while not is_over.is_set():
            annotator.points = []
            for x in (30, 50, 70):
                ms = annotator.click(x, 20 + len(clicks) % 60)
                if ms is not None:
                    clicks.append(ms)
                time.sleep(_PAUSE_S)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        time.sleep(1)
        fault(target)
        survived = _wait_until_ready(target.server)
        time.sleep(_CALM_S)
    finally:
        is_over.set()
        thread.join()
    return FaultReport(
        fault=name,
        survived=survived and target.server.process.poll() is None,
        longest_pause_ms=round(max(clicks, default=0.0), 1),
        n_clicks=len(clicks),
        n_lost=annotator.n_empty + annotator.n_failed,
    )


def _wait_until_ready(server: Server) -> bool:
    until = time.monotonic() + _LIMIT_S
    while time.monotonic() < until:
        try:
            if requests.get(f"{server.url}/health", timeout=5).json()["ready"]:
                return True
        except (requests.RequestException, ValueError, KeyError):
            pass
        time.sleep(0.2)
    return False


def _nothing(target: _Target) -> None:
    time.sleep(_CALM_S)


def _slow_clients(target: _Target) -> None:
    port = int(target.server.url.rpartition(":")[2])
    with ExitStack() as stack:
        for _ in range(_N_SLOW):
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            stack.enter_context(connection).sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nX: ")
        time.sleep(2 * _CALM_S)


def _leaving_clients(target: _Target) -> None:
    port = int(target.server.url.rpartition(":")[2])
    body = b'{"tasks": [], "label_config": "<View/>"}'
    head = f"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
    kind = "Content-Type: application/json\r\n\r\n"
    for _ in range(_N_LEAVING):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall((head + kind).encode() + body)


def _malformed(target: _Target) -> None:
    bodies = (b"[" * 100_000, b'{"a":' * 1000, b"\x00", b'{"tasks": 1}', b"9" * 10_000)
    for index in range(_N_FUZZED):
        route = ("predict", "setup", "webhook")[index % 3]
        requests.post(
            f"{target.server.url}/{route}",
            data=bodies[index % len(bodies)],
            headers={"Content-Type": "application/json"},
            timeout=30,
        )


def _reload(target: _Target) -> None:
    before = set(target.children("serve"))
    target.server.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + _LIMIT_S
    while before & set(target.children("serve")) and time.monotonic() < until:
        time.sleep(0.2)


def _cut_checkpoint(target: _Target) -> None:
    whole = target.checkpoint.read_bytes()
    target.checkpoint.write_bytes(whole[: len(whole) // 2])
    target.server.process.send_signal(signal.SIGHUP)
    time.sleep(_CALM_S)
    target.kill("serve")  # its successor cannot start
    time.sleep(2 * _CALM_S)
    target.checkpoint.write_bytes(whole)


def _damaged_files(target: _Target) -> None:
    for file in target.data.glob("*.sqlite3"):
        with file.open("r+b") as opened:
            opened.write(os.urandom(max(4096, file.stat().st_size)))
    target.kill("serve")


def _moved_folder(target: _Target) -> None:
    target.data.rename(target.data.with_name("moved"))
    time.sleep(2 * _CALM_S)


_FAULTS: dict[str, Callable[[_Target], None]] = {
    "none": _nothing,
    f"{_N_SLOW} clients send half a header": _slow_clients,
    f"{_N_LEAVING} clients leave at once": _leaving_clients,
    f"{_N_FUZZED} malformed requests": _malformed,
    "fine-tuning is killed": lambda target: target.kill("work"),
    "a worker is killed": lambda target: target.kill("serve"),
    "new workers for old ones (SIGHUP)": _reload,
    "the checkpoint is cut": _cut_checkpoint,
    "files of the data folder are damaged": _damaged_files,
    "the data folder is moved": _moved_folder,
}
