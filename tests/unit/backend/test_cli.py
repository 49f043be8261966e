import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.cli import main
from mfp_model.checkpoints.checkpoint import Checkpoint, save_checkpoint
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
    assert main([*arguments, "--checkpoint", str(weights), "--out", str(out), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    report = json.loads(line)
    mask = np.asarray(Image.open(out))
    assert set(report) == {"width", "height", "area_px", "ms", "peak_mb"}
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
    arguments = ["evaluate", "clicks", "--format", "coco", "--root", str(folder), "--limit", "1"]
    arguments += ["--checkpoint", str(weights)]
    assert main([*arguments, "--json", str(out)]) == 0
    table = capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    scores = json.loads(out.read_text())
    printed = json.loads(capsys.readouterr().out)
    times = {"spc_s", "median_ms"}
    assert {**printed, **dict.fromkeys(times)} == {**scores, **dict.fromkeys(times)}
    assert f"{scores['noc']['0.90']:.3f}" in table
    assert max(map(len, table.splitlines())) <= 80
    assert scores["n_objects"] == 1
    assert len(scores["miou_at"]) == 20
    assert scores["checkpoint"] == "tiny-1"


def test_evaluation_takes_jitter_flip_size_and_constants_and_draws_a_plot(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_coco_folder(tmp_path / "coco", n_images=1)
    common = ["evaluate", "clicks", "--format", "coco", "--root", str(folder), "--limit", "1"]
    common += ["--checkpoint", str(weights)]
    assert main([*common, "--json", str(tmp_path / "one.json")]) == 0
    changes = ["--flip", "--jitter", "3", "--input-size", "96", "--modulation", "distance=rgb"]
    plot = tmp_path / "plot.png"
    plotting = ["--plot", str(plot), "--plot-with", str(tmp_path / "one.json")]
    capsys.readouterr()
    assert main([*common, *changes, *plotting, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["checkpoint"] == "tiny-1"
    with Image.open(plot) as picture:
        assert picture.width > 300


@pytest.mark.parametrize(
    ("option", "message"),
    [("radius=3", "n_early_clicks"), ("max_radius=wide", "NAME=VALUE"), ("curve=f3", "curve")],
)
def test_a_wrong_constant_of_the_modulation_is_refused(
    option: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "clicks", "--format", "coco", "--root", str(tmp_path)]
    assert main([*arguments, "--modulation", option]) == 1
    assert message in capsys.readouterr().err


def test_the_ablation_prints_the_supplements_table(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_coco_folder(tmp_path / "coco", n_images=1)
    arguments = ["evaluate", "ablation", "--format", "coco", "--root", str(folder), "--limit", "1"]
    out = tmp_path / "table.json"
    assert main([*arguments, "--checkpoint", str(weights), "--json", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert len(json.loads(out.read_text())) == 8


@pytest.mark.parametrize("text", ["coco:many", "coco:0"])
def test_a_weight_that_is_none_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--train", text, "--out", str(tmp_path / "o")]) == 1
    assert text in capsys.readouterr().err


def test_training_starts_from_one_file_of_the_right_backbone(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--train", "coco", "--out", str(tmp_path / "o"), "--start", str(weights)]
    assert main([*arguments, "--preset", "hrnet18"]) == 1
    assert "has backbone compact" in capsys.readouterr().err
    assert main([*arguments, "--init", "imagenet-resnet34"]) == 1
    assert "expected one of them" in capsys.readouterr().err
