"""Commands name what is damaged, and go on with the rest."""

import json
import sqlite3
from pathlib import Path

import pytest

from backend.cli import main
from backend.exchange.spool import Spool
from tests.unit.mfp_model.coco_folder import make_coco_folder


def _damaged_folder(root: Path, *, n_images: int) -> Path:
    """A COCO folder whose first object has no segmentation."""
    make_coco_folder(root, n_images=n_images)
    content = json.loads((root / "annotations.json").read_text())
    content["annotations"][0]["segmentation"] = []
    (root / "annotations.json").write_text(json.dumps(content))
    return root


@pytest.mark.slow
def test_evaluation_measures_the_others_and_ends_with_code_2_where_an_object_is_damaged(
    tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _damaged_folder(tmp_path / "coco", n_images=1)
    arguments = ["evaluate", "clicks", "--format", "coco", "--root", str(folder), "--json"]
    arguments += ["--engine", "pytorch"]  # made in no time
    assert main([*arguments, "--checkpoint", str(tiny_weights)]) == 2
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
    (message,) = figures.pop("messages")
    assert message in printed.err
    assert "image 0: annotation 0: segmentation: no polygon" in message
    assert figures == {
        "tasks": 2,
        "masks": 5,
        "known": 0,
        "crowds": 2,
        "unchecked": 0,
        "polygon_iou": None,
        "problems": 1,
    }
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
