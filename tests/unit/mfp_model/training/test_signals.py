"""A training that is asked to end by a signal to its whole group, as a terminal sends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.mfp_model.coco_folder import make_coco_folder

pytestmark = pytest.mark.slow

_SIZES = ("--min-object-px", "1", "--samples", "4000", "--batch", "2", "--epoch-samples", "2000")


def _until_it_learns(process: subprocess.Popen[str], log: Path) -> None:
    """Wait for the first steps, whose loss is shown."""
    until = time.monotonic() + 120
    while "loss=" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_after_its_step_with_its_state_saved(tmp_path: Path, number: int) -> None:
    folder, out = make_coco_folder(tmp_path / "coco", n_images=2), tmp_path / "o.safetensors"
    command = [sys.executable, "-m", "backend.cli", "train", "--train", str(folder)]
    command += ["--out", str(out), "--workers", "2", *_SIZES]
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            command, start_new_session=True, stdout=file, stderr=file, text=True
        )
        try:
            _until_it_learns(process, log)
            os.killpg(process.pid, number)
            assert process.wait(120) == 0
        finally:
            process.kill()
    assert "Traceback" not in log.read_text()
    assert log.read_text().endswith("note: stopped; the same command goes on from there\n")
    assert out.with_name(f"{out.name}.state").exists()
