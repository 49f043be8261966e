import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.cli import main
from backend.exchange.spool import Spool
from mfp_model.checkpoints.checkpoint import Checkpoint, save_checkpoint
from mfp_model.evaluation import plots
from tests.unit.mfp_model.coco_folder import make_coco_folder


@pytest.fixture(scope="module")
def weights(tiny_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(tiny_checkpoint, path)
    return path


@pytest.mark.slow
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


def test_a_prior_mask_that_is_all_dark_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (70, 50), "green").save(tmp_path / "a.png")
    ones = np.zeros((50, 70), dtype=np.uint8)
    ones[10:30, 10:30] = 1
    Image.fromarray(ones).save(tmp_path / "prior.png")
    arguments = ["segment", str(tmp_path / "a.png"), "--click", "10,10,+"]
    arguments += ["--mask", str(tmp_path / "prior.png"), "--out", str(tmp_path / "mask.png")]
    assert main(arguments) == 1
    assert "no pixel is lighter than 1, expected the object from 128" in capsys.readouterr().err
    assert not (tmp_path / "mask.png").exists()


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


@pytest.mark.slow
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
    assert re.fullmatch(r"tiny-1-[0-9a-f]{8}\.\d+(-bf16)?", scores["checkpoint"])


@pytest.mark.slow
def test_evaluation_takes_jitter_flip_size_and_constants_and_draws_a_plot(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = make_coco_folder(tmp_path / "coco", n_images=1)
    common = ["evaluate", "clicks", "--format", "coco", "--root", str(folder), "--limit", "1"]
    common += ["--checkpoint", str(weights)]
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


@pytest.mark.slow
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


@pytest.mark.parametrize("weight", ["many", "0", "nan", "inf"])
def test_a_weight_that_is_none_is_refused(
    weight: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"{make_coco_folder(tmp_path / 'coco')}:{weight}"
    assert main(["train", "--train", text, "--out", str(tmp_path / "o")]) == 1
    assert text in capsys.readouterr().err


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
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tmp_path)
    arguments = ["train", "--train", data, "--out", str(tmp_path / "o"), "--start", str(weights)]
    assert main([*arguments, "--preset", "hrnet18"]) == 1
    assert "has backbone lite2" in capsys.readouterr().err
    assert main([*arguments, "--init", "imagenet-resnet34"]) == 1
    assert "expected one of them" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["evaluate"], ["coco"]])
def test_a_command_that_is_not_complete_prints_its_help(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MFP_MAX_WAITING", "a bad value, which help does not mind")
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: {' '.join(['mfp', *arguments])} ")
    assert "work" not in printed.split()


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"label-studio-mfp {version('label-studio-mfp')}\n"


_REFUSED = {
    "serve --port 80999": "--port: '80999': expected a whole number, 1 <= value <= 65535",
    "serve --workers 0": "--workers: '0': expected a whole number, 1 <= value",
    "serve --device tpu": "--device: 'tpu': expected auto, cpu, cuda or cuda:N",
    "evaluate clicks --format coco --root nodir": "--root: 'nodir': no such folder",
    "evaluate clicks --format coco --root .": "annotations.json: expected COCO",
    "segment photo.png --click 9999,1,+ --out m.png": "click x=9999 outside image of width 70",
    "segment photo.png --box 9,1,99,9 --out m.png": "box right=99 outside image of width 70",
    "segment photo.png --box 9,1,9,9 --out m.png": "expected left < right",
    "segment photo.png --box 9,1,9 --out m.png": "expected X,Y,X,Y",
    "segment photo.png --out m.png": "expected --click or --box",
    "segment photo.png --click 9,1,+ --out photo.png": "is the image itself",
    "segment photo.png --click 9,1,+ --out .": "--out: '.': is a folder",
    "segment photo.png --click 9,1,+ --mask small.png --out m.png": "small.png: has 5x4 pixels",
    "segment photo.png --click 9,1,+ --out m.png --segmenter sam": "invalid choice: 'sam'",
    "segment photo.png --click 9,1,+ --out m.png --constants photo.png": "no use for it",
    "evaluate clicks --format coco --root . --pictures photo.png": "is a file, expected a folder",
    "tune-graph-cut --format coco --root . --out photo.png": "is a file, expected a folder",
    "fine-tune --data . --out w --work photo.png": "is a file, expected a folder",
    "weights convert photo.png --out .": "--out: '.': is a folder",
    "weights fetch lama --to photo.png": "is a file, expected a folder",
    "bench --no-such": "unrecognized arguments: --no-such; see mfp bench --help",
    "coco export --out o --no-such": "see mfp coco export --help",
    "bench --sizes 90": "expected WIDTHxHEIGHT",
    "connect --backend ftp://x --project 1": "expected http://… or https://…",
    "connect --backend http:// --project 1": "expected http://",
    "connect --backend 127.0.0.1:80999 --project 1": "a port up to 65535",
    "annotate --folder .": "--folder and --out: expected both",
    "annotate --folder . --out o --inpainter-weights photo.png": "has no use for them",
    "annotate --folder . --out .": "exists and is not empty",
    "annotate --folder . --out o --replicas 2": "--replicas: expected --ray with it",
    "annotate --folder . --out o --ray --finder deeplab": "expected --finder mfp, got deeplab",
    "evaluate boxes --format coco --root . --replicas 2": "--replicas: expected --ray with it",
    "annotate --project 1": "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY: expected both",
    "annotate --project 1 --from boxes": "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY",
    "annotate --project 1 --like 4:a": "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY",
    "annotate --project 1 --like a": "expected TASK:REGION",
    "train --train nodir:2 --out w": "'nodir': no such file or folder",
    "fine-tune --data nodir --out w": "--data: 'nodir': no such folder",
    "fine-tune --data . --out .": "--out: '.': is a folder",
    "fine-tune --data . --out photo.png/w": "or lies where nothing can be written",
    "fine-tune --data . --out größer.safetensors": "'größer': expected up to 80 letters",
    "evaluate clicks --format coco --root . --json .": "--json: '.': is a folder",
    "coco import --coco . --out t.json": "expected --label-config",
    "models promote v1 --project 0": "--project: '0': expected a whole number",
    "no-such-command": "invalid choice: 'no-such-command'",
}


_EACH_FORKED = """
import os, sys
from backend.cli import main

for number, command in enumerate(sys.stdin.read().splitlines()):
    if not os.fork():
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{sys.argv[1]}/{number}.{name}", os.O_WRONLY | os.O_CREAT), stream)
        code = main(command.split())
        print(code, "torch" in sys.modules, flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.slow
def test_arguments_are_checked_before_torch_is_loaded(tmp_path: Path) -> None:
    outputs, here = tmp_path / "told", tmp_path / "here"
    outputs.mkdir()
    here.mkdir()
    Image.new("RGB", (70, 50), "green").save(here / "photo.png")
    Image.new("L", (5, 4)).save(here / "small.png")
    subprocess.run(
        [sys.executable, "-c", _EACH_FORKED, str(outputs)],
        cwd=here,
        env={"HOME": str(here), "PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())},
        input="\n".join(_REFUSED),
        text=True,
        check=True,
    )
    for number, (command, message) in enumerate(_REFUSED.items()):
        printed, error = ((outputs / f"{number}.{name}").read_text() for name in ("out", "err"))
        assert printed == "1 False\n", (command, error)  # exit code, and whether torch is there
        assert message in error, command
        assert len(error.splitlines()) == 1, command
    assert sorted(path.name for path in here.iterdir()) == ["photo.png", "small.png"]


def test_a_bad_setting_is_one_line_that_names_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MFP_MAX_WAITING", "many")
    assert main(["models", "list"]) == 1
    assert capsys.readouterr().err.startswith("mfp models list: MFP_MAX_WAITING='many': expected")


def test_no_versions_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MFP_DATA_DIR", str(tmp_path))
    assert main(["models", "list"]) == 0
    assert capsys.readouterr().out.startswith("no fine-tuned versions in ")
    assert main(["models", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"versions": []}


def test_an_empty_mask_and_a_replaced_file_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (70, 50), "green").save(tmp_path / "a.png")
    out = tmp_path / "mask.png"
    arguments = ["segment", str(tmp_path / "a.png"), "--out", str(out)]
    arguments += ["--segmenter", "graph-cut", "--click"]
    assert main([*arguments, "10,10,-"]) == 0
    printed = capsys.readouterr()
    assert "note: the mask is empty" in printed.err
    assert "replaced" not in printed.err
    assert f"{out}: 70 x 50 pixels, 0 of them object (0.0%)" in printed.out
    assert main([*arguments, "10,10,+"]) == 0
    assert f"note: {out} was there already, and is replaced" in capsys.readouterr().err


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
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = make_coco_folder(tmp_path / "coco", n_images=1)
    (tmp_path / "r.json").write_text("{}")
    arguments = ["evaluate", "clicks", "--format", "coco", "--root", str(folder), "--limit", "1"]
    arguments += ["--checkpoint", str(weights), *options.format(report=tmp_path / "r.json").split()]
    assert main(arguments) == 0
    assert f"note: {note}" in capsys.readouterr().err


def _damaged_folder(root: Path, *, n_images: int) -> Path:
    """A COCO folder whose first object has no segmentation."""
    make_coco_folder(root, n_images=n_images)
    content = json.loads((root / "annotations.json").read_text())
    content["annotations"][0]["segmentation"] = []
    (root / "annotations.json").write_text(json.dumps(content))
    return root


@pytest.mark.slow
def test_evaluation_measures_the_others_and_ends_with_code_2_where_an_object_is_damaged(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _damaged_folder(tmp_path / "coco", n_images=1)
    arguments = ["evaluate", "clicks", "--format", "coco", "--root", str(folder), "--json"]
    assert main([*arguments, "--checkpoint", str(weights)]) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["n_objects"] == 1
    assert printed.err.count("annotations.json: image 0: annotation 0: segmentation: no poly") == 1


def test_an_import_makes_tasks_of_the_others_and_ends_with_code_2_where_a_mask_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, config = _damaged_folder(tmp_path / "coco", n_images=2), tmp_path / "config.xml"
    config.write_text(
        """<View><Image name="i" value="$image"/><BrushLabels name="b" toName="i">
        <Label value="square"/></BrushLabels></View>"""
    )
    out = tmp_path / "tasks.json"
    arguments = ["coco", "import", "--coco", str(folder), "--image-prefix", "x/", "--json"]
    arguments += ["--label-config", str(config), "--out", str(out)]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    figures = json.loads(printed.out)
    assert figures == {
        "tasks": 2,
        "masks": 5,
        "known": 0,
        "crowds": 2,
        "unchecked": 0,
        "polygon_iou": None,
        "problems": 1,
    }
    assert "image 0: annotation 0: segmentation: no polygon" in printed.err
    assert main([*arguments, "--strict"]) == 1


@pytest.mark.slow
def test_training_names_what_is_damaged_before_it_learns_from_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _damaged_folder(tmp_path / "coco", n_images=2)
    arguments = ["train", "--train", str(folder), "--out", str(tmp_path / "x.safetensors")]
    arguments += ["--preset", "unet", "--samples", "2", "--batch", "2", "--workers", "0"]
    assert main([*arguments, "--device", "cpu"]) == 2
    printed = capsys.readouterr().err
    assert printed.index("image 0: annotation 0: segmentation") < printed.index("100%")


def test_a_full_disk_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: Spool, path: Path, *, key: str) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Spool, "__init__", full)
    tasks = tmp_path / "tasks.json"
    tasks.write_text('[{"id": 1, "data": {"image": "a.png"}, "annotations": []}]')
    assert main(["coco", "export", "--export", str(tasks), "--out", str(tmp_path / "out")]) == 1
    message = capsys.readouterr().err
    assert "cannot be written (disk I/O error): is the disk full" in message
    assert "Traceback" not in message
