"""What is done beside the requests, and the end of the process."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import wait

import pytest

from backend.background import BackgroundThreads

_HANGING_HOST = """
import socket
from backend.models.served import ServedModels
from backend.server.app import create_app
from tests.fakes import DiskSegmenter, temporary_settings
from tests.unit.backend.page import request
server = socket.create_server(("127.0.0.1", 0))
site = f"http://127.0.0.1:{server.getsockname()[1]}"
settings = temporary_settings(label_studio_url=site)
models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
client = create_app(settings, models=models).test_client()
for task in range(3):
    body = {**request(id=task, data={"image": f"{site}/data/upload/1/a.jpg"}), "params": {}}
    assert client.post("/predict", json=body).status_code == 200
connection, _ = server.accept()
"""
_LONG_CALLS = """
import time
from backend.background import BackgroundThreads
threads = BackgroundThreads(1, name="test")
for _ in range(3):
    threads.submit(time.sleep, 60)
"""


@pytest.mark.parametrize("code", [_LONG_CALLS, _HANGING_HOST], ids=["calls", "image host"])
def test_a_process_ends_while_they_go_on(code: str) -> None:
    ended = subprocess.run([sys.executable, "-c", code], timeout=15, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_so_many_run_at_a_time_in_order() -> None:
    threads, gate, begun = BackgroundThreads(2, name="test"), threading.Event(), list[int]()

    def call(number: int) -> int:
        begun.append(number)
        assert gate.wait(20)
        return number

    calls = [threads.submit(call, number) for number in range(5)]
    wait(calls, 0.2)
    assert sorted(begun) == [0, 1]
    gate.set()
    assert [each.result(20) for each in calls] == [0, 1, 2, 3, 4]
    assert sorted(begun[2:]) == [2, 3, 4]


def test_what_a_call_raises_is_told_and_ends_no_thread() -> None:
    threads = BackgroundThreads(1, name="test")
    failed, good = threads.submit(int, "x"), threads.submit(int, "1")
    assert isinstance(failed.exception(20), ValueError)
    assert good.result(20) == 1
