import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.cli import main
from mfp_model.checkpoint import Checkpoint, save_checkpoint
from tests.unit.mfp_model.coco_folder import make_coco_folder


@pytest.fixture(scope="module")
def weights(tiny_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(tiny_checkpoint, path)
    return path


def test_segment_writes_a_mask_and_prints_one_json_line(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (70, 50), "green").save(tmp_path / "a.png")
    out = tmp_path / "new" / "mask.png"
    arguments = ["segment", str(tmp_path / "a.png"), "--click", "10,10,+", "--click", "60,40,-"]
    assert main([*arguments, "--checkpoint", str(weights), "--out", str(out)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    report = json.loads(line)
    mask = np.asarray(Image.open(out))
    assert set(report) == {"width", "height", "area_px", "ms"}
    assert (report["width"], report["height"]) == (70, 50)
    assert mask.shape == (50, 70)
    assert report["area_px"] == (mask == 255).sum() == (mask > 0).sum()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["segment", "nowhere.png", "--click", "1,1,+"], "nowhere.png"),
        (["segment", "nowhere.png", "--click", "1,1"], "expected X,Y,+"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path / "m.png")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_evaluate_prints_and_writes_the_scores(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_coco_folder(tmp_path / "coco", n_images=1)
    out = tmp_path / "scores.json"
    arguments = ["evaluate", "--format", "coco", "--root", str(folder), "--json", str(out)]
    assert main([*arguments, "--checkpoint", str(weights), "--limit", "1"]) == 0
    scores = json.loads(out.read_text())
    assert json.loads(capsys.readouterr().out) == scores
    assert scores["n_objects"] == 1
    assert len(scores["miou_at"]) == 20
    assert scores["checkpoint"] == "tiny-1"
