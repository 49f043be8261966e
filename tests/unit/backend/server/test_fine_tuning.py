"""`mfp work` beside a server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.server.fine_tuning import FineTuningProcess
from tests.fakes import temporary_settings

_LIMIT_S = 20.0
_STARTING = """
import dataclasses, os, sys
from pathlib import Path
from backend.server.fine_tuning import FineTuningProcess
from backend.settings import Settings

folder = Path(sys.argv[1])
settings = dataclasses.replace(Settings(), data_dir=folder / "data", device="cpu")
process = FineTuningProcess(settings, os.environ, folder, print)
(folder / "pid").write_text(str(process._process._process.pid))
os._exit(0)  # as by kill -9, before that one has begun to look after its parent
"""


@pytest.mark.slow
def test_it_ends_with_a_server_that_ends_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _STARTING, str(tmp_path)]
    subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
    pid, until = int((tmp_path / "pid").read_text()), time.monotonic() + _LIMIT_S
    while _runs(pid) and time.monotonic() < until:
        time.sleep(0.1)
    if _runs(pid):
        os.kill(pid, signal.SIGTERM)
        pytest.fail("it runs on")


class _Ending(FineTuningProcess):
    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["true"])


def test_the_log_and_the_status_page_say_that_it_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noted: list[Exception] = []
    settings = temporary_settings()
    process = _Ending(settings, {}, tmp_path, noted.append)
    until = time.monotonic() + _LIMIT_S
    while not noted and time.monotonic() < until:
        time.sleep(0.02)
        process.look()
    assert [str(error) for error in noted] == caplog.messages
    assert "`mfp work` ended by itself" in caplog.text


def _runs(pid: int) -> bool:
    """Whether there is such a process that has not ended, waited for or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
