"""`mfp annotate --ray` and `mfp evaluate … --ray`: the results of one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backend.cli import main
from tests.e2e.conftest import PHOTOS

pytest.importorskip("ray")

_ROOT = Path(__file__).parents[2]
_LIMIT_S = 180


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two small photos, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, path in enumerate(sorted(PHOTOS.glob("*.jpg"))[:2]):
        image = cv2.imread(str(path))
        assert image is not None
        cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(image, (96, 80)))
    (folder / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture
def labelled(tmp_path: Path, photos: Path) -> Path:
    """A folder of GrabCut's kind: a disk on each photo."""
    for name in ("data_GT", "boundary_GT"):
        (tmp_path / "labelled" / name).mkdir(parents=True)
    rows, columns = np.mgrid[0:80, 0:96]
    disk = ((rows - 40) ** 2 + (columns - 48) ** 2 < 400).astype(np.uint8) * 255
    for number in range(2):
        content = (photos / f"{number}.png").read_bytes()
        (tmp_path / "labelled" / "data_GT" / f"{number}.png").write_bytes(content)
        cv2.imwrite(str(tmp_path / "labelled" / "boundary_GT" / f"{number}.bmp"), disk)
    return tmp_path / "labelled"


@pytest.mark.slow
def test_a_cluster_finds_and_measures_what_one_process_does(
    tmp_path: Path, photos: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = {
        where: (
            f"annotate --folder {photos} --out {tmp_path / where} --rounds 0 --device cpu",
            f"evaluate clicks --format grabcut --root {labelled} --limit 2 "
            f"--jitter 4 --json {tmp_path / where}.json",
        )
        for where in ("here", "spread")
    }
    environment = {**os.environ, "MFP_TORCH_THREADS": "1", "MFP_DATA_DIR": str(tmp_path / "data")}
    monkeypatch.setenv("MFP_DATA_DIR", str(tmp_path / "data"))
    spread = subprocess.run(
        [
            *(sys.executable, "-m", "tests.e2e.batch_run"),
            *(f"{command} --replicas 2" for command in commands["spread"]),
        ],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    assert "[2, 0]" in spread.stdout.splitlines(), spread.stderr[-3000:]
    assert [main(command.split()) for command in commands["here"]] == [2, 0]
    assert _found(tmp_path / "spread") == _found(tmp_path / "here")
    assert _scores(tmp_path / "spread.json") == _scores(tmp_path / "here.json")


def _found(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "annotations.json").read_text())
    assert content["annotations"]
    content["info"].pop("date_created", None)
    return content


def _scores(path: Path) -> dict[str, Any]:
    """All but how long it took."""
    scores: dict[str, Any] = json.loads(path.read_text())
    return {name: value for name, value in scores.items() if name not in ("spc_s", "median_ms")}
