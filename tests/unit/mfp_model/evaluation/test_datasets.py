"""Folders of labelled objects, as their makers left them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mfp_model.data.sbd import read_names
from mfp_model.errors import DataError
from mfp_model.evaluation.datasets import READERS, coco_objects
from mfp_model.masks.rle import encode_mask
from tests.unit.mfp_model.coco_folder import make_coco_folder


def test_nothing_on_a_crowd_is_an_error_but_the_object_itself_counts(tmp_path: Path) -> None:
    root = make_coco_folder(tmp_path, n_images=1)
    content = json.loads((root / "annotations.json").read_text())
    crowd = np.zeros((60, 80), np.bool_)
    crowd[:20] = True
    content["annotations"][2]["segmentation"] = encode_mask(crowd)
    (root / "annotations.json").write_text(json.dumps(content))

    square, same = coco_objects(root)

    assert square.truth.sum() == same.truth.sum() == 900
    assert (square.valid == (~crowd | square.truth)).all()


@pytest.mark.parametrize(
    "clicks", [[[81, 5, 1]], [[-1, 5, 0]], [[float("inf"), 5, 1]], [[5, 5, -1]], [[5, 5, "0"]]]
)
def test_recorded_clicks_off_the_image_or_without_a_sign_cost_their_object_only(
    tmp_path: Path, clicks: list[list[float]]
) -> None:
    root = make_coco_folder(tmp_path, n_images=1)
    content = json.loads((root / "annotations.json").read_text())
    content["annotations"][0]["clicks"] = clicks
    content["annotations"][1]["clicks"] = [[80, 0, 1]]
    (root / "annotations.json").write_text(json.dumps(content))
    problems: list[str] = []

    (other,) = coco_objects(root, on_problem=problems.append)

    assert [(click.x, click.y) for click in other.clicks] == [(80, 0)]
    (problem,) = problems
    assert "0.png#0: clicks=[[" in problem


def test_a_list_of_names_may_come_from_windows_and_have_spaces(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_bytes("\ufeffa b\r\n\r\nü \r\n".encode())
    assert read_names(tmp_path, "val") == ["a b", "ü"]

    (tmp_path / "val.txt").write_bytes("ü".encode("latin-1"))
    with pytest.raises(DataError, match=r"val\.txt: expected a list of names in UTF-8"):
        read_names(tmp_path, "val")


def test_a_sequence_that_is_not_there_does_not_end_the_others(tmp_path: Path) -> None:
    for sequence, frame in (("bear", "00000"), ("swan", "00000")):
        for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
            path = tmp_path / folder / "480p" / sequence / f"{frame}.{suffix}"
            path.parent.mkdir(parents=True)
            Image.new("L", (8, 6), 1).save(path)
    (tmp_path / "Annotations/480p/swan/00000.png").unlink()
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/val.txt").write_text("gone\nswan\nbear\n")
    problems: list[str] = []

    (target,) = READERS["davis2017"](tmp_path, on_problem=problems.append)

    assert target.name == "bear/00000#1"
    assert [problem.partition("480p/")[2] for problem in problems] == [
        "gone: no such folder",
        "swan: no truth for 00000.jpg",
    ]
