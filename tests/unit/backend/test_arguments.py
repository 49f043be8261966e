"""Arguments and settings are checked before anything is loaded."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image

from backend.cli import main
from backend.exchange import tasks
from backend.recording import recorded_objects
from tests.unit.mfp_model.coco_folder import make_coco_folder


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


@pytest.mark.parametrize("weight", ["many", "0", "nan", "inf"])
def test_a_weight_that_is_none_is_refused(
    weight: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"{make_coco_folder(tmp_path / 'coco')}:{weight}"
    assert main(["train", "--train", text, "--out", str(tmp_path / "o")]) == 1
    assert text in capsys.readouterr().err


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


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], []])
def test_a_command_whose_output_nobody_reads_on_ends_quietly(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert _written_to(writer, arguments) == (141, "")
    os.close(writer)


def test_another_pipe_that_breaks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError("the other end is closed")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recorded_objects, "read_objects", broken)
    assert main(["sessions", "report", "--out", "r.html"]) == 1
    assert capsys.readouterr().err == "mfp sessions report: the other end is closed\n"


def test_output_that_a_full_disk_does_not_take_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        code, error = _written_to(full.fileno(), ["--version"])
    assert (code, error) == (1, "mfp: [Errno 28] No space left on device\n")


def test_a_command_needs_no_output() -> None:
    command = '"$0" -m backend.cli --version >&-'
    subprocess.run(["sh", "-c", command, sys.executable], check=True)


def _written_to(output: int, arguments: list[str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "backend.cli", *arguments]
    environment = {"PATH": os.environ["PATH"]}  # without PYTHONUNBUFFERED
    ended = subprocess.run(
        command, stdout=output, stderr=subprocess.PIPE, text=True, env=environment, check=False
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("coco export --export t.json --out o", "stopped; the same command goes on from there"),
        ("sessions report --out r.html", "stopped"),
    ],
)
def test_a_command_that_is_stopped_says_whether_the_same_one_goes_on(
    command: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.json").write_text("[]")
    monkeypatch.setattr(tasks, "file_tasks", stop)
    monkeypatch.setattr(recorded_objects, "read_objects", stop)
    assert main(command.split()) == 130
    assert capsys.readouterr().err.endswith(f": {message}\n")


_REFUSED = {
    "serve --port 80999": "--port: '80999': expected a whole number, 1 <= value <= 65535",
    "serve --workers 0": "--workers: '0': expected a whole number, 1 <= value",
    "serve --replicas 2": "--replicas: expected --ray with it",
    "serve --device tpu": "--device: 'tpu': expected auto, cpu, cuda or cuda:N",
    "evaluate clicks --format coco --root nodir": "--root: 'nodir': no such folder",
    "evaluate clicks --format coco --root .": "annotations.json: expected COCO",
    "segment photo.png --click 9999,1,+ --out m.png": "click x=9999 outside image of width 70",
    "segment photo.png --box 9,1,99,9 --out m.png": "box right=99 outside image of width 70",
    "segment photo.png --box 9,1,9,9 --out m.png": "expected left < right",
    "segment photo.png --box 9,1,9 --out m.png": "expected X,Y,X,Y",
    "segment photo.png --out m.png": "expected --click or --box",
    "segment nowhere.png --click 9,1,+ --out m.png": "IMAGE: 'nowhere.png': no such file",
    "segment photo.png --click 9,1,+ --out m.png --checkpoint photo.png": "damaged or of another",
    "segment photo.png --click 9,1,+ --out m.png --segmenter unet": "expected --checkpoint, as",
    "evaluate sessions --checkpoint photo.png": "checkpoint photo.png: damaged or of another kind",
    "evaluate behind --occlusions .": "annotations.json: expected COCO",
    "segment photo.png --click 9,1 --out m.png": "expected X,Y,+ or X,Y,-",
    "segment none.json --click 9,1,+ --out m.png": "none.json: 33 bytes that are no image file",
    "segment photo.png --click 9,1,+ --mask none.json --out m.png": "none.json: 33 bytes that",
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
    "bench --soak 1 --faults": "--faults: not allowed with argument --soak",
    "bench --no-such": "unrecognized arguments: --no-such; see mfp bench --help",
    "coco export --out o --no-such": "see mfp coco export --help",
    "bench --sizes 90": "expected WIDTHxHEIGHT",
    "connect --backend ftp://x --project 1": "expected http://… or https://…",
    "connect --backend http:// --project 1": "expected http://",
    "connect --backend 127.0.0.1:80999 --project 1": "a port up to 65535",
    "connect --backend http://mfp?x --project 1": "and no blank, ? or #",
    "annotate --folder .": "--folder and --out: expected both",
    "annotate --folder . --out o --inpainter-weights photo.png": "has no use for them",
    "annotate --folder . --out .": "exists and is not empty",
    "annotate --folder . --out photo.png/o": "nothing can be written in",
    "coco masks --coco none.json --out .": "exists and is not empty",
    "coco masks --coco none.json --out photo.png": "is a file, expected a folder",
    "coco import --coco . --out photo.png/t.json": "or lies where nothing can be written",
    "annotate --folder . --out o --replicas 2": "--replicas: expected --ray with it",
    "annotate --folder . --out o --ray --finder deeplab": "expected --finder mfp, got deeplab",
    "evaluate boxes --format coco --root . --replicas 2": "--replicas: expected --ray with it",
    "annotate --project 1": "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY: expected both",
    "annotate --project 1 --from boxes": "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY",
    "annotate --project 1 --like 4:a": "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY",
    "annotate --project 1 --like a": "expected TASK:REGION",
    "train --train . --out w --init lite2": "'lite2': no such file, and mfp weights fetch has no",
    "train --train nodir:2 --out w": "'nodir': no such file or folder",
    "fine-tune --data nodir --out w": "--data: 'nodir': no such folder",
    "fine-tune --data . --out .": "--out: '.': is a folder",
    "fine-tune --data . --out photo.png/w": "or lies where nothing can be written",
    "fine-tune --data . --out größer.safetensors": "'größer': expected up to 80 letters",
    "evaluate clicks --format coco --root . --json .": "--json: '.': is a folder",
    "coco import --coco . --out t.json": "expected --label-config",
    "coco import --coco . --project 1": "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY",
    "models promote v1 --project 0": "--project: '0': expected a whole number",
    "no-such-command": "graph-cut, bench, weights); see mfp --help",  # and no hidden ones
}


_EACH_FORKED = """
import os, sys
from backend.cli import main
from backend.exchange import tasks
from backend.recording import recorded_objects

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
    (here / "none.json").write_text('{"images": [], "annotations": []}')
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
    names = sorted(path.name for path in here.iterdir())
    assert names == ["none.json", "photo.png", "small.png"]


def test_a_bad_setting_is_one_line_that_names_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MFP_MAX_WAITING", "many")
    assert main(["models", "list"]) == 1
    assert capsys.readouterr().err.startswith("mfp models list: MFP_MAX_WAITING='many': expected")
