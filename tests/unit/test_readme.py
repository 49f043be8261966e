"""Every command of the README is run, with small data in place of what it names."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.cli import _parser, main
from backend.settings import Settings
from mfp_model.weights.sources import WEIGHTS_SOURCES
from tests.published_weights import published_weights
from tests.unit.mfp_model.coco_folder import make_coco_folder

_ROOT = Path(__file__).parents[2]
_TEXT = (_ROOT / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _TEXT, flags=re.DOTALL)


def _commands() -> list[str]:
    lines = "".join(_blocks("sh")).splitlines()
    return [line.partition("#")[0].strip() for line in lines if line.strip()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the commands name: a photo, tiny data sets, a checkpoint in a published layout."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(_ROOT / "backend" / "demo" / "photos" / "coffee.jpg", "photo.jpg")
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


def test_python_in_six_lines(folder: Path) -> None:
    code, editing = _blocks("python")
    assert len(list(filter(None, code.splitlines()))) == 6
    names: dict[str, object] = {}
    exec(code + editing, names)
    second = names["second"]
    assert names["mended"].mask.shape == (400, 600)  # type: ignore[attr-defined]
    assert second.mask.shape == (400, 600)  # type: ignore[attr-defined]
    assert second.probability_map.dtype == np.float32  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", [c for c in _commands() if c.startswith("mfp ")])
def test_commands_run(command: str, folder: Path) -> None:
    arguments = shlex.split(command)[1:]
    if arguments[0] == "train":
        arguments += ["--samples", "4"]
    if arguments[0] == "bench":
        arguments = ["compact" if argument == "vit_b" else argument for argument in arguments]
        arguments += "--sizes 90x70 --objects 1 --concurrency 2 --seconds 1".split()
    if arguments[0] == "evaluate-loop":
        arguments += ["--limit", "2", "--rounds", "1"]
    asks_label_studio = "--project" in arguments or arguments[0] == "sessions"
    if asks_label_studio or arguments[0] in ("export-coco", "import-coco", "fine-tune", "models"):
        _parser().parse_args(arguments)  # run by tests/e2e/test_loop.py and test_recording.py
        return
    if "MFP_vit_base.pth" in arguments:  # another published layout does, and is small
        torch.save({"state_dict": published_weights("hrnet18")}, "MFP_vit_base.pth")
    assert main(arguments) == 0


def test_make_has_its_targets_and_the_server_its_options() -> None:
    others = [command for command in _commands() if not command.startswith("mfp ")]
    for command in others:
        if command.startswith("make "):
            subprocess.run(
                ["make", "--dry-run", *command.split()[1:]],
                cwd=_ROOT,
                check=True,
                capture_output=True,
            )
        elif "mfp serve" in command:
            _parser().parse_args(shlex.split(command.partition("mfp ")[2]))
        elif command.startswith("torchrun "):
            _parser().parse_args(shlex.split(command.partition("backend.cli ")[2]))
        else:
            assert command in ("pip install .", "docker compose up --build")


def test_commands_inside_sentences_are_understood() -> None:
    found = re.findall(r"`mfp ((?:connect|bench) --[^`]*)`", _TEXT)
    assert len(found) == 3
    for arguments in found:
        _parser().parse_args(shlex.split(arguments))


def test_the_settings_table_is_complete() -> None:
    documented = re.findall(r"^\| `((?:MFP|LABEL_STUDIO)_\w+)` \|", _TEXT, flags=re.MULTILINE)
    assert documented == re.findall(r"`((?:MFP|LABEL_STUDIO)_[A-Z_]+)`", Settings.__doc__ or "")


def test_the_table_of_published_weights_is_complete() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| \[([^]]+)\]\(([^)]+)\) \| (.*?) \|", _TEXT, re.MULTILINE)
    expected = [
        (name, source.file_name, source.url, source.sha256 or "not published")
        for name, source in WEIGHTS_SOURCES.items()
    ]
    shortened = [(n, f, u, s.strip("`").removesuffix("…")) for n, f, u, s in rows]
    assert shortened == expected


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", _TEXT):
        assert target.startswith("https://") or (_ROOT / target).exists(), target


def test_the_command_is_installed() -> None:
    command = Path(sys.executable).parent / "mfp"
    printed = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert "serve" in printed.stdout
