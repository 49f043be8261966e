"""The real server process, spoken to as Label Studio does."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from backend.demo.processes import Server, free_port, start_backend
from tests.e2e.conftest import PHOTOS

_BOWL = "data:image/jpeg;base64," + base64.b64encode((PHOTOS / "bowl.jpg").read_bytes()).decode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = start_backend(
        tmp_path / "backend.log", port=free_port(19190), label_studio_url="", n_workers=2
    )
    try:
        started.wait(limit_s=60)
        yield started
    finally:
        started.stop()


def _click(body: dict[str, Any], x: float, y: float, *, is_positive: bool) -> dict[str, Any]:
    return {
        **body,
        "id": f"{x}-{y}",
        "is_positive": is_positive,
        "original_width": 1280,
        "original_height": 866,
        "value": {"x": x, "y": y, "keypointlabels": ["Object"]},
    }


def _workers(server: Server) -> list[int]:
    listed = subprocess.run(
        ["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in listed.stdout.split()]


def test_killing_the_workers_between_two_clicks_changes_no_byte(
    server: Server, capture: Callable[[str], Any]
) -> None:
    body = capture("predict_first_click")
    body["tasks"][0]["data"]["image"] = _BOWL
    (point,) = body["params"]["context"]["result"]
    clicks = [
        _click(point, 70, 70, is_positive=True),
        _click(point, 45, 45, is_positive=True),
        _click(point, 10, 10, is_positive=False),
    ]

    def rle(n_clicks: int) -> list[int]:
        body["params"]["context"]["result"] = clicks[:n_clicks]
        answer = requests.post(f"{server.url}/predict", json=body, timeout=100).json()
        (region,) = answer["results"][0]["result"]
        return list(region["value"]["rle"])

    step_by_step = [rle(n) for n in (1, 2, 3)]
    before = _workers(server)
    assert len(before) == 2
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 60
    while len(_workers(server)) < 2 or set(_workers(server)) & set(before):
        assert time.monotonic() < until
        time.sleep(0.1)
    server.wait(limit_s=60)
    assert [rle(n) for n in (3, 1, 2)] == [step_by_step[2], step_by_step[0], step_by_step[1]]


def test_sigterm_ends_it_cleanly(server: Server) -> None:
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(40) == 0
