"""`make demo`, from its first line to Ctrl-C."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import requests

from backend.demo.processes import TOKEN
from backend.label_studio.access import LabelStudioAccess
from backend.label_studio.api import LabelStudioApi
from tests.e2e.conftest import ROOT


def _started(data: Path) -> tuple[subprocess.Popen[str], str]:
    """The demo's process and all it printed until it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "backend.demo", "--data", str(data)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Ctrl-C" in line:
            return process, printed
    raise AssertionError(f"the demo ended: {printed}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stdout is not None
    process.stdout.close()


def test_the_demo_starts_twice_takes_free_ports_and_stops_cleanly(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind(("127.0.0.1", 9090))
        busy.listen()
        process, printed = _started(tmp_path)
        assert "Port 9090 is taken" in printed
        for word in ("Login", "Password", "Auto-Annotation", "Alt+click", "check"):
            assert word in printed
        found = re.search(r"(http://127\.0\.0\.1:\d+)/projects/(\d+)/data", printed)
        assert found is not None
        api = LabelStudioApi(LabelStudioAccess(url=found[1], api_key=TOKEN, timeout_s=60))
        assert len(api.tasks(int(found[2]))) == 6
        _stop(process)
    again, printed = _started(tmp_path)
    try:
        found = re.search(r"(http://127\.0\.0\.1:\d+)/projects/(\d+)/data", printed)
        assert found is not None
        api = LabelStudioApi(LabelStudioAccess(url=found[1], api_key=TOKEN, timeout_s=60))
        assert len(api.tasks(int(found[2]))) == 6
        assert requests.get(f"{found[1]}/health", timeout=5).status_code == 200
    finally:
        _stop(again)
