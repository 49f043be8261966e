from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mfp_model.errors import DataError
from mfp_model.evaluation.datasets import EvaluationObject, read_coco, read_davis, read_grabcut
from mfp_model.evaluation.protocol import ObjectResult, click_object, iou, score
from tests.fakes import DiskSegmenter
from tests.unit.mfp_model.coco_folder import make_coco_folder


def _result(*ious: float) -> ObjectResult:
    return ObjectResult(name="o", ious=ious, seconds=0.1 * len(ious))


def test_clicks_until_each_threshold_are_counted() -> None:
    scores = score([_result(0.5, 0.86, 0.96), _result(0.91, 0.93, *[0.94] * 18)])
    assert scores.noc == {"0.85": 1.5, "0.90": 2.0, "0.95": (3 + 20) / 2}
    assert scores.nof == {"0.85": 0, "0.90": 0, "0.95": 1}
    assert scores.miou_at[0] == pytest.approx(0.705)
    assert scores.miou_at[19] == pytest.approx(0.95)
    assert scores.n_objects == 2
    assert scores.spc_s == pytest.approx(0.1)


def test_success_at_click_20_is_a_success() -> None:
    scores = score([_result(*[0.1] * 19, 0.96)])
    assert scores.noc["0.95"] == 20
    assert scores.nof["0.95"] == 0


def test_nothing_to_score_is_an_error() -> None:
    with pytest.raises(DataError, match="no object"):
        score([])


def test_ignored_pixels_do_not_count() -> None:
    truth, valid = np.ones((2, 2), bool), np.ones((2, 2), bool)
    mask = truth.copy()
    mask[0, 0] = False
    assert iou(mask, truth, valid) == 0.75
    valid[0, 0] = False
    assert iou(mask, truth, valid) == 1


def test_clicking_stops_at_the_goal() -> None:
    truth = np.zeros((60, 60), bool)
    rows, columns = np.mgrid[0:60, 0:60]
    truth[(rows - 30) ** 2 + (columns - 30) ** 2 < 400] = True
    target = EvaluationObject(
        name="disk",
        image=np.zeros((60, 60, 3), np.uint8),
        truth=truth,
        valid=np.ones_like(truth),
    )
    result = click_object(DiskSegmenter(radius=20), target)
    assert len(result.ious) == 1
    assert result.ious[0] > 0.95


def test_folders_are_read(tmp_path: Path) -> None:
    for images, truths, reader in (
        ("data_GT", "boundary_GT", read_grabcut),
        ("img", "gt", read_davis),
    ):
        for name in (images, truths):
            (tmp_path / name).mkdir()
        Image.new("RGB", (8, 6), "red").save(tmp_path / images / "a.jpg")
        truth = np.array([[0, 128, 255, 255]], np.uint8).repeat(6, 0).repeat(2, 1)
        Image.fromarray(truth).save(tmp_path / truths / "a.png")
        (found,) = reader(tmp_path)
        assert found.image.shape == (6, 8, 3)
        assert found.truth.sum() == 24
        assert (~found.valid).sum() == 12
    squares = list(read_coco(make_coco_folder(tmp_path / "coco")))
    assert [target.truth.sum() for target in squares] == [900] * 6


def test_an_incomplete_folder_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data_GT"):
        list(read_grabcut(tmp_path))
    with pytest.raises(DataError, match=r"annotations\.json"):
        list(read_coco(tmp_path))
    for name in ("img", "gt"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "img" / "a.jpg")
    with pytest.raises(DataError, match=r"a\.jpg"):
        list(read_davis(tmp_path))
