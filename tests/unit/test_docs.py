"""Every command of README and docs is run, with small data in place of what it names.

What sentences mention is checked as well: commands, options, settings, files, names, links.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.bench import bench
from backend.cli import main, make_parser
from mfp_model import loading
from mfp_model.evaluation import tuning
from mfp_model.finding.finders import ClickFinder
from mfp_model.segmenter import Segmenter
from tests.published_weights import published_weights
from tests.unit.mfp_model.coco_folder import make_coco_folder
from tests.unit.pages import ROOT, blocks, commands

pytestmark = pytest.mark.slow

# Commands that ask Label Studio or the web, or take minutes, and the tests that run them.
_RUN_ELSEWHERE = {
    "serve": "tests/e2e/test_server.py",
    "bench --json": "tests/e2e/test_bench.py",
    "connect": "tests/e2e/test_team.py",
    "fine-tune": "tests/e2e/test_loop.py",
    "models": "tests/e2e/test_loop.py",
    "migrate": "tests/unit/backend/storage/test_shared_state.py",
    "work": "tests/unit/backend/learning/test_work.py",
    "sessions": "tests/e2e/test_recording.py",
    "weights fetch": "tests/unit/backend/models/test_downloads.py",
    "evaluate ablation": "tests/unit/backend/test_cli.py",
    "evaluate sessions": "tests/e2e/test_recording.py",
    "--project": "tests/e2e/test_loop.py",
    "--soak": "tests/e2e/test_soak.py",
}


def _runs_elsewhere(command: str) -> bool:
    arguments = command.removeprefix("mfp ")
    return any(
        f" {part}" in command if part.startswith("--") else f"{arguments} ".startswith(f"{part} ")
        for part in _RUN_ELSEWHERE
    )


@pytest.fixture(scope="module", autouse=True)
def shipped_network() -> Iterator[None]:
    """All commands here compute with the shipped weights, which are made ready once."""
    made = cache(loading._network)
    anew = loading._network

    def network(name: str, checkpoint: Path | None, device: str, engine: str) -> Segmenter:
        return (anew if checkpoint else made)(name, checkpoint, device, engine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "_network", network)
        yield


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """What commands repeat on their own is repeated little."""
    monkeypatch.setattr(bench, "_N_ENGINE_REPEATS", 1)
    monkeypatch.setattr(bench, "_N_STEP_REPEATS", 1)
    axes = [(name, values[-2:]) for name, values in tuning._AXES]
    monkeypatch.setattr(tuning, "_AXES", axes)
    monkeypatch.setitem(ClickFinder.__init__.__kwdefaults__, "grid", 2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the commands name: a photo, tiny data sets, a checkpoint in a published layout."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "backend" / "demo" / "photos" / "coffee.jpg", "photo.jpg")
    shutil.copytree(ROOT / "label_config", "label_config")
    Image.new("L", (600, 400), 255).save("mask.png")
    for name in ("photos", "VOC2012/JPEGImages", "VOC2012/SegmentationClass"):
        Path(name).mkdir(parents=True)
        Image.new("L", (40, 30)).save(f"{name}/a.{'png' if 'Class' in name else 'jpg'}")
    Path("VOC2012/ImageSets/Segmentation").mkdir(parents=True)
    Path("VOC2012/ImageSets/Segmentation/val.txt").write_text("a")
    for name in ("my-coco", "my-held-out", "duts-te-500"):
        make_coco_folder(tmp_path / name, n_images=1)
    Path("constants").mkdir()
    Path("constants/rgb.json").write_text('{"config": {"smoothness": 4.0}}')
    for folders in (("GrabCut/data_GT", "GrabCut/boundary_GT"), ("davis/img", "davis/gt")):
        for name, mode in zip(folders, ("RGB", "L"), strict=True):
            Path(name).mkdir(parents=True)
            image = Image.new(mode, (40, 30))
            image.paste("white" if mode == "RGB" else 255, (10, 10, 30, 20))
            image.save(f"{name}/a.png")
    return tmp_path


def test_the_readme_is_for_somebody_with_three_minutes() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_python_in_four_lines(page: str, folder: Path) -> None:
    code, *more = blocks(ROOT / page, "python")
    assert len(list(filter(None, code.splitlines()))) == 4
    names: dict[str, object] = {}
    exec(code + "".join(more), names)
    second = names["second"]
    assert second.mask.shape == (400, 600)  # type: ignore[attr-defined]
    assert second.probability_map.dtype == np.float32  # type: ignore[attr-defined]
    if more:
        assert names["mended"].mask.shape == (400, 600)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("mfp ")])
def test_commands_run(command: str, folder: Path, few: None) -> None:
    arguments = shlex.split(command)[1:]
    if arguments[0] in ("coco", "fine-tune"):
        _make_what_is_exchanged(folder)
    if _runs_elsewhere(command):
        make_parser().parse_args(arguments)
        return
    if arguments[0] == "train":
        arguments += ["--samples", "2", "--val-samples", "2", "--batch", "2"]
    if arguments[0] == "bench":
        arguments = ["lite2" if argument == "vit_b" else argument for argument in arguments]
        arguments += ["--sizes", "90x70"]
    if arguments[0] == "tune-graph-cut":
        arguments += ["--limit", "1"]
    if arguments[:2] == ["evaluate", "behind"]:
        arguments += ["--limit", "2", "--rounds", "1"]
    if "MFP_vit_base.pth" in arguments:  # another published layout does, and is small
        torch.save({"state_dict": published_weights("hrnet18")}, "MFP_vit_base.pth")
    assert main(arguments) == 0


def _make_what_is_exchanged(folder: Path) -> None:
    """COCO folders that other commands write, without crowds, and Label Studio's JSON export."""
    for name in ("masks", "found"):
        file = make_coco_folder(folder / name, n_images=1) / "annotations.json"
        coco = json.loads(file.read_text())
        coco["annotations"] = [row for row in coco["annotations"] if not row["iscrowd"]]
        for row in coco["annotations"]:
            row["bbox"] = [2, 2, 20, 20]
        coco["categories"] = [{"id": 1, "name": "Object"}]
        file.write_text(json.dumps(coco))
    task = {"id": 1, "data": {"image": "data:image/png;base64,"}, "annotations": []}
    (folder / "tasks.json").write_text(json.dumps([task]))


def test_commands_that_run_elsewhere_do() -> None:
    for test in _RUN_ELSEWHERE.values():
        assert (ROOT / test).is_file(), test


def test_other_commands_name_what_is_there(folder: Path) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    for command in (command for command in commands() if not command.startswith("mfp ")):
        words = shlex.split(command)
        if words[0] == "make":
            subprocess.run(
                ["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True
            )
        elif words[0] == "torchrun":
            make_parser().parse_args(shlex.split(command.partition("backend.cli ")[2]))
        elif words[:2] == ["pip", "install"]:
            extra = re.fullmatch(r"\.(?:\[([\w-]+)\])?", words[2])
            assert extra
            assert extra[1] is None or extra[1] in extras["optional-dependencies"]
        elif words[:2] == ["docker", "build"]:
            assert all(f"ARG {word.partition('=')[0]}=" in dockerfile for word in words[3:-1])
        else:
            assert words[0] == "export" or command == "docker compose up --build"


def test_the_command_is_installed() -> None:
    command = Path(sys.executable).parent / "mfp"
    printed = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert "serve" in printed.stdout
