"""`mfp serve --ray` with real replicas: the same bytes as one process, whatever is killed."""

from __future__ import annotations

import base64
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from backend.demo.processes import Server, free_port, start_backend
from backend.server.app import create_app
from backend.settings import Settings
from tests.e2e.conftest import PHOTOS
from tests.processes import descendants, processes

pytest.importorskip("ray")

_BOWL = "data:image/jpeg;base64," + base64.b64encode((PHOTOS / "bowl.jpg").read_bytes()).decode()
_LABEL_CONFIG = """<View><Image name="image" value="$image"/>
<BrushLabels name="mask" toName="image"><Label value="Object"/></BrushLabels>
<KeyPoint name="click" toName="image"/></View>"""
_READY_S = 90


def _body(task: int, n_clicks: int) -> dict[str, Any]:
    clicks = [
        {
            "id": f"{task}-{turn}",
            "type": "keypoint",
            "to_name": "image",
            "is_positive": turn != 2,
            "original_width": 1280,
            "original_height": 866,
            "value": {"x": 40 + 2 * task + 3 * turn, "y": 45 + 4 * turn},
        }
        for turn in range(n_clicks)
    ]
    return {
        "tasks": [{"id": task, "data": {"image": _BOWL}}],
        "project": "1.0",
        "label_config": _LABEL_CONFIG,
        "params": {"context": {"result": clicks}},
    }


def _masks(answer: dict[str, Any]) -> list[Any]:
    """What is answered, without ids, which are made up."""
    assert answer["results"], answer
    return [[row["value"] for row in result["result"]] for result in answer["results"]]


def _until_ready(server: Server) -> None:
    until = time.monotonic() + _READY_S
    while not requests.get(f"{server.url}/ready", timeout=5).ok:
        assert time.monotonic() < until, server.log.read_text()[-3000:]
        time.sleep(0.2)


@pytest.mark.slow
def test_clicks_are_those_of_one_process_also_after_a_replica_and_a_worker_were_killed(
    tmp_path: Path,
) -> None:
    server = start_backend(
        tmp_path / "backend.log",
        port=free_port(),
        label_studio_url="",
        settings={"MFP_TORCH_THREADS": "1"},
        arguments=["--ray", "--replicas", "2"],
    )
    alone = create_app(Settings(data_dir=tmp_path / "alone", n_torch_threads=1)).test_client()
    with server.running(limit_s=_READY_S):
        assert requests.get(f"{server.url}/health", timeout=5).ok
        _until_ready(server)
        parent = server.process.pid
        expected = {
            (task, n): _masks(alone.post("/predict", json=_body(task, n)).json)
            for task in range(4)
            for n in (1, 2, 3)
        }

        def check() -> None:
            for (task, n_clicks), masks in expected.items():
                answer = requests.post(
                    f"{server.url}/predict", json=_body(task, n_clicks), timeout=100
                )
                assert _masks(answer.json()) == masks

        check()
        os.kill(descendants(parent, "ray::ServeReplica")[0], signal.SIGKILL)
        check()
        (worker,) = (pid for pid in descendants(parent, "serve --port") if _parent(pid) == parent)
        os.kill(worker, signal.SIGKILL)
        time.sleep(1)
        _until_ready(server)
        check()
        _check_ports(descendants(parent, "ray"))
        mine = descendants(parent)
    until = time.monotonic() + 30
    while set(mine) & set(processes()):
        assert time.monotonic() < until
        time.sleep(0.2)


def _parent(pid: int) -> int:
    return processes()[pid][0]


def _check_ports(pids: list[int]) -> None:
    """Ray's own processes listen on this machine's loopback; replicas ask for a token."""
    address = socket.gethostbyname(socket.gethostname())
    ports = _listening([pid for pid in pids if "ServeReplica" not in processes()[pid][1]])
    assert len(ports) > 3
    for port in ports:
        with socket.socket() as connection:
            connection.settimeout(2)
            assert address.startswith("127.") or connection.connect_ex((address, port)) != 0


def _listening(pids: list[int]) -> set[int]:
    """Ports at which processes listen."""
    inodes = {
        os.readlink(handle)[8:-1]
        for pid in pids
        for handle in Path(f"/proc/{pid}/fd").glob("*")
        if _is_socket(handle)
    }
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def _is_socket(handle: Path) -> bool:
    try:
        return os.readlink(handle).startswith("socket:")
    except OSError:
        return False
