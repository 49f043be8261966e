"""Nothing leaves the machine: no name is looked up, no address called, no file left at home."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from backend.demo.processes import free_port, start_server
from tests.unit.mfp_model.coco_folder import make_coco_folder

pytestmark = pytest.mark.slow

# Python reads this file at the start of every process, forked and started ones alike.
_WATCH = """
import os, sys
def _watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        _note(f"{event} {arguments[0]}")
    elif event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            _note(f"{event} {address}")
def _note(line):
    with open(os.environ["WATCHED"], "a") as file:
        file.write(f"{line} {sys.argv}\\n")
sys.addaudithook(_watch)
"""
_LOOPBACK = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "None")


class _Machine:
    """A home folder of its own, and a record of what leaves it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(_WATCH)
        self._record = folder / "watched"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "CI"},
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "MFP_DATA_DIR": str(folder / "data"),
            "WATCHED": str(self._record),
            "PYTHONPATH": f"{folder / 'site'}:{Path(__file__).parents[2]}",
            "OMP_NUM_THREADS": "1",
        }

    def run(self, *commands: str) -> None:
        """Run commands one after the other, in one process, which imports what they need once."""
        code = "import sys; from backend.cli import main; "
        code += "sys.exit(any(main(command.split()) for command in sys.argv[1:]))"
        ended = subprocess.run(
            [sys.executable, "-c", code, *commands],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert ended.returncode == 0, ended.stderr[-2000:]

    def looked_up(self) -> list[str]:
        """What was called, but this machine itself."""
        lines = self._record.read_text().splitlines() if self._record.exists() else []
        return [line for line in lines if line.split()[1] not in _LOOPBACK]

    def left_at_home(self) -> list[str]:
        """Files that a program left; matplotlib's and torch's caches are no news of anybody."""
        files = [path for path in self.home.rglob("*") if path.is_file()]
        names = [str(path.relative_to(self.home)) for path in files]
        return [name for name in names if not name.startswith((".cache/matplotlib", ".config/mat"))]


@pytest.fixture
def machine(tmp_path: Path) -> _Machine:
    return _Machine(tmp_path)


def test_the_watch_sees_what_leaves(machine: _Machine) -> None:
    code = "import socket\ntry: socket.getaddrinfo('nowhere.invalid', 80)\nexcept OSError: pass"
    subprocess.run([sys.executable, "-c", code], env=machine.environment, check=True)
    assert machine.looked_up()


def test_openvino_says_nothing_of_its_import(machine: _Machine) -> None:
    pytest.importorskip("openvino_telemetry")
    code = """
import sys
from mfp_model.engines.openvino import import_silently
import_silently()
import openvino, openvino.tools.ovc as ovc
assert "stub" in type(ovc.telemetry).__module__, type(ovc.telemetry)
assert "openvino_telemetry" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], env=machine.environment, check=True)
    assert machine.looked_up() == []
    assert machine.left_at_home() == []


def test_segmenting_evaluating_and_training_say_nothing(machine: _Machine, tmp_path: Path) -> None:
    folder = make_coco_folder(tmp_path / "coco", n_images=2)
    photo = sorted((folder / "images").iterdir())[0]
    size = "--samples 2 --batch 2 --epoch-samples 2 --workers 0 --min-object-px 1"
    machine.run(
        f"segment {photo} --click 20,20,+ --out {tmp_path / 'mask.png'}",
        f"evaluate clicks --format coco --root {folder} --limit 1",
        f"train --train {folder} --out {tmp_path / 'out.safetensors'} {size}",
    )
    assert (tmp_path / "mask.png").exists()
    assert (tmp_path / "out.safetensors").exists()
    assert machine.looked_up() == []
    assert machine.left_at_home() == []


def test_serving_says_nothing(machine: _Machine, tmp_path: Path) -> None:
    port = free_port()
    environment = {**machine.environment, "LABEL_STUDIO_URL": ""}
    command = [sys.executable, "-m", "backend.cli", "serve", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    server = start_server("the backend", command, environment, url=url, log=tmp_path / "log")
    with server.running(limit_s=90):
        until = time.monotonic() + 60
        while not requests.get(f"{url}/health", timeout=60).json()["ready"]:
            assert time.monotonic() < until
            time.sleep(0.2)
    assert machine.looked_up() == []
    assert machine.left_at_home() == []
