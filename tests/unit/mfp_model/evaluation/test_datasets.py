"""Folders of labelled objects, as their makers left them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mfp_model.evaluation.datasets import coco_objects
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
