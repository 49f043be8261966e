"""The real server under faults: what is killed, cut or moved never ends service."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from backend.demo.processes import Server, free_port, start_backend
from backend.server import shared_memory
from mfp_model.checkpoints.checkpoint import Checkpoint, save_checkpoint
from tests.processes import children


@pytest.fixture
def checkpoint(tiny_checkpoint: Checkpoint, tmp_path: Path) -> Path:
    save_checkpoint(tiny_checkpoint, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def server(checkpoint: Path, tmp_path: Path) -> Iterator[Server]:
    running = start_backend(
        tmp_path / "backend.log",
        port=free_port(),
        label_studio_url="",
        settings={"MFP_CHECKPOINT": str(checkpoint), "MFP_ENGINE": "pytorch"},
    )
    with running.running(limit_s=90):
        yield running


def _children(server: Server, command: str) -> set[int]:
    return children(server.process.pid, command)


def _until(condition: Callable[[], Any], limit_s: float = 60) -> None:
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def _health(server: Server) -> dict[str, Any]:
    return dict(requests.get(f"{server.url}/health", timeout=10).json())


@contextmanager
def _pauses(server: Server) -> Iterator[list[float]]:
    """How long each of many requests took that were made meanwhile, in seconds."""
    seconds: list[float] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            started = time.monotonic()
            assert requests.get(f"{server.url}/health", timeout=30).ok
            seconds.append(time.monotonic() - started)
            time.sleep(0.02)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seconds
    finally:
        is_over.set()
        thread.join()


def test_killed_fine_tuning_is_started_again_and_told(server: Server) -> None:
    (work,) = _children(server, "cli work")
    assert _health(server)["fine_tuning"] == "running"
    os.kill(work, signal.SIGKILL)
    _until(lambda: _children(server, "cli work") - {work})
    _until(lambda: "ended by itself" in requests.get(server.url, timeout=10).text)
    assert (
        "mfp_fine_tuning_restarts_total 1.0"
        in requests.get(f"{server.url}/metrics", timeout=10).text
    )


def test_sighup_pauses_nobody_and_a_cut_checkpoint_changes_nothing(
    server: Server, checkpoint: Path
) -> None:
    _until(lambda: _health(server)["ready"])
    before = _children(server, "cli serve")
    with _pauses(server) as seconds:
        server.process.send_signal(signal.SIGHUP)
        _until(lambda: not before & _children(server, "cli serve"))
        assert _health(server)["ready"]
    assert max(seconds) < 2
    after = _children(server, "cli serve")
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    server.process.send_signal(signal.SIGHUP)
    _until(lambda: "not reloaded" in requests.get(server.url, timeout=10).text)
    assert str(checkpoint) in requests.get(server.url, timeout=10).text
    assert _children(server, "cli serve") == after
    assert _health(server)["ready"]


def test_a_second_sighup_takes_the_place_of_the_first(server: Server) -> None:
    _until(lambda: _health(server)["ready"])
    before = _children(server, "cli serve")
    with _pauses(server) as seconds:
        server.process.send_signal(signal.SIGHUP)
        _until(lambda: _children(server, "cli serve") - before)
        young = _children(server, "cli serve") - before
        server.process.send_signal(signal.SIGHUP)
        _until(lambda: not (before | young) & _children(server, "cli serve"))
        assert _health(server)["ready"]
    assert max(seconds) < 2
    _until(lambda: len(_children(server, "cli serve")) == len(before))


def test_a_data_folder_that_is_moved_is_made_anew(server: Server, tmp_path: Path) -> None:
    data = tmp_path / "backend-data"
    _until(lambda: _health(server)["ready"])
    before = _children(server, "cli serve")
    shutil.move(data, tmp_path / "moved")
    _until(lambda: (data / "jobs.sqlite3").exists())
    _until(lambda: not before & _children(server, "cli serve"))
    assert "was moved or removed" in requests.get(server.url, timeout=10).text
    requests.post(f"{server.url}/setup", json={"project": "7.1"}, timeout=10)
    body = {"action": "START_TRAINING", "project": {"id": 7}}
    assert requests.post(f"{server.url}/webhook", json=body, timeout=10).json()["job"] == 1


def test_what_workers_share_is_made_anew_where_it_was_removed(server: Server) -> None:
    _until(lambda: _health(server)["ready"])
    before = _children(server, "cli serve")
    mine = os.listdir(f"/proc/{min(before)}/fd")
    links = {os.path.realpath(f"/proc/{min(before)}/fd/{name}") for name in mine}
    (folder,) = {Path(link).parent for link in links if link.endswith("/lock")}
    time.sleep(2)  # the server has seen that they are ready
    shutil.rmtree(folder)
    _until(lambda: not before & _children(server, "cli serve"))
    _until(lambda: (folder / "fine-tuning.json").exists())
    assert _health(server)["ready"]
    assert "was removed" in requests.get(server.url, timeout=10).text
    assert requests.get(f"{server.url}/metrics", timeout=10).ok
    (worker,) = _children(server, "cli serve")
    os.kill(worker, signal.SIGKILL)
    _until(lambda: _children(server, "cli serve") - {worker})
    _until(lambda: _health(server)["ready"])


def test_what_a_killed_server_left_in_memory_is_cleared_at_the_next_start(
    server: Server,
) -> None:
    folders = set(Path("/dev/shm").glob("label-studio-mfp-*"))
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    time.sleep(0.5)
    assert folders & set(shared_memory.clear(Path("/dev/shm")))


def test_a_start_with_damaged_weights_names_the_file(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x00" * 1000)
    started = start_backend(
        tmp_path / "log",
        port=free_port(),
        label_studio_url="",
        settings={"MFP_CHECKPOINT": str(damaged)},
    )
    assert started.process.wait(60) == 1
    assert str(damaged) in started.log.read_text()
