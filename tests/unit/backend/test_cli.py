import io
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from backend.cli import main
from mfp_model.engines.engine_choice import make_engine
from mfp_model.evaluation import plots
from mfp_model.segmenters import mfp
from tests.unit.mfp_model.coco_folder import make_coco_folder

# Of the tiny network, where no test is about its engine.
_MADE_IN_NO_TIME = ("--engine", "pytorch")


@pytest.mark.slow
def test_evaluate_prints_and_writes_the_scores(
    tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_coco_folder(tmp_path / "coco", n_images=1)
    out = tmp_path / "scores.json"
    arguments = ["evaluate", "clicks", "--format", "coco", "--root", str(folder), "--limit", "1"]
    arguments += ["--checkpoint", str(tiny_weights), *_MADE_IN_NO_TIME]
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
    assert re.fullmatch(r"tiny-1-[0-9a-f]{8}\.\d+(-bf16)?", scores["checkpoint"])


@pytest.mark.slow
def test_evaluation_takes_jitter_flip_size_and_constants_and_draws_a_plot(
    tiny_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = make_coco_folder(tmp_path / "coco", n_images=1)
    common = ["evaluate", "clicks", "--format", "coco", "--root", str(folder), "--limit", "1"]
    common += ["--checkpoint", str(tiny_weights), *_MADE_IN_NO_TIME]
    assert main([*common, "--json", str(tmp_path / "one.json")]) == 0
    changes = ["--flip", "--jitter", "3", "--input-size", "96", "--modulation", "distance=rgb"]
    plot = tmp_path / "plot.png"
    (tmp_path / "other").mkdir()
    copy = shutil.copy(tmp_path / "one.json", tmp_path / "other")
    plotting = ["--plot", str(plot), "--plot-with", str(tmp_path / "one.json"), "--plot-with", copy]
    drawn: list[str] = []
    draw = plots.plot_curves
    monkeypatch.setattr(
        plots, "plot_curves", lambda curves: (drawn.extend(x.name for x in curves), draw(curves))[1]
    )
    capsys.readouterr()
    assert main([*common, *changes, *plotting, "--json"]) == 0
    assert drawn[1:] == ["one", "one"]
    report = json.loads(capsys.readouterr().out)
    assert re.fullmatch(r"tiny-1-[0-9a-f]{8}\.\d+(-bf16)?-flip", report["checkpoint"])
    with Image.open(plot) as picture:
        assert picture.width > 300


def test_an_earlier_report_of_another_command_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_coco_folder(tmp_path / "coco", n_images=1)
    (tmp_path / "edits.json").write_text('{"shift": {}}')
    arguments = ["evaluate", "clicks", "--format", "coco", "--root", str(folder), "--plot"]
    arguments += [str(tmp_path / "plot.png"), "--plot-with", str(tmp_path / "edits.json")]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "edits: expected a report of mfp evaluate clicks" in captured.err
    assert "object" not in captured.err  # the progress


@pytest.mark.slow
def test_the_ablation_prints_the_supplements_table(
    tiny_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mfp, "make_engine", lambda name, *rest: make_engine("pytorch", *rest))
    folder = make_coco_folder(tmp_path / "coco", n_images=1)
    arguments = ["evaluate", "ablation", "--format", "coco", "--root", str(folder), "--limit", "1"]
    out = tmp_path / "table.json"
    assert main([*arguments, "--checkpoint", str(tiny_weights), "--json", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert len(json.loads(out.read_text())) == 8


def test_clicks_like_peoples_are_told_of_each_group_and_over_all(
    tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_coco_folder(tmp_path / "coco", n_images=1)
    arguments = ["evaluate", "clicks", "--clicks", "human", "--format", "coco", "--limit", "1"]
    arguments += ["--root", str(folder), "--checkpoint", str(tiny_weights), *_MADE_IN_NO_TIME]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("mfp (")
    assert {"careful", "ordinary", "hasty"} <= set(lines)
    assert [line.split()[0] for line in lines[-2:]] == ["mean", "spread"]


@pytest.mark.parametrize("others", [["--preset", "unet"], ["--clicks", "deep"]])
def test_a_prior_mask_that_nothing_would_see_is_refused(
    others: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--train", str(tmp_path), "--out", str(tmp_path / "o"), *others]
    assert main([*arguments, "--prior-probability", "0.1"]) == 1
    assert "--prior-probability: expected adaptive clicks" in capsys.readouterr().err
    assert main([*arguments, "--prior-probability", "0"]) == 1  # for want of data
    assert "annotations.json" in capsys.readouterr().err


def test_training_looks_for_its_device_before_it_reads_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--train", str(tmp_path), "--out", str(tmp_path / "o"), "--device"]
    assert main([*arguments, "cuda:99"]) == 1
    assert "device 'cuda:99': not on this machine" in capsys.readouterr().err
    assert main([*arguments, "auto"]) == 1  # for want of data
    assert "annotations.json" in capsys.readouterr().err


def test_training_starts_from_one_file_of_the_right_backbone(
    tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tmp_path)
    arguments = [
        "train",
        "--train",
        data,
        "--out",
        str(tmp_path / "o"),
        "--start",
        str(tiny_weights),
    ]
    assert main([*arguments, "--preset", "hrnet18"]) == 1
    assert "has backbone lite2" in capsys.readouterr().err
    assert main([*arguments, "--init", "imagenet-resnet34"]) == 1
    assert "--init: not allowed with argument --start" in capsys.readouterr().err


def test_no_versions_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MFP_DATA_DIR", str(tmp_path))
    assert main(["models", "list"]) == 0
    assert capsys.readouterr().out.startswith("no fine-tuned versions in ")
    assert main(["models", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"versions": []}


@pytest.mark.parametrize(("name", "shown"), [("маска", r"\u043c"), ("\udcff", r"\udcff")])
def test_letters_that_the_terminal_cannot_show_are_escaped(
    name: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (70, 50), "green").save(tmp_path / "a.png")
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", terminal)
    arguments = ["segment", str(tmp_path / "a.png"), "--segmenter", "graph-cut"]
    arguments += ["--click", "10,10,+", "--out", str(tmp_path / f"{name}.png")]
    assert main(arguments) == 0
    terminal.flush()
    assert shown in terminal.buffer.getvalue().decode("latin-1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "note"),
    [
        ("--seed 1", "--seed has no effect: without --jitter"),
        ("--plot-with {report}", "--plot-with has no effect: there is no --plot"),
    ],
)
def test_an_option_without_effect_is_said(
    options: str,
    note: str,
    tiny_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = make_coco_folder(tmp_path / "coco", n_images=1)
    (tmp_path / "r.json").write_text("{}")
    arguments = ["evaluate", "clicks", "--format", "coco", "--root", str(folder), "--limit", "1"]
    arguments += [
        "--checkpoint",
        str(tiny_weights),
        *_MADE_IN_NO_TIME,
        *options.format(report=tmp_path / "r.json").split(),
    ]
    assert main(arguments) == 0
    assert f"note: {note}" in capsys.readouterr().err
