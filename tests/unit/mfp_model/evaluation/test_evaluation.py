import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mfp_model.data.automatic_clicks import PixelClick
from mfp_model.data.coco import read_coco
from mfp_model.errors import DataError
from mfp_model.evaluation import alike
from mfp_model.evaluation.ablation import VARIANTS, as_table
from mfp_model.evaluation.aims import PEOPLE, Jitter, Person
from mfp_model.evaluation.alike import alike_images, evaluate_alike
from mfp_model.evaluation.datasets import READERS
from mfp_model.evaluation.mask_metrics import Confusion
from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.evaluation.plots import Curve, plot_curves
from mfp_model.evaluation.protocol import ObjectResult, click_object
from mfp_model.evaluation.scores import score
from mfp_model.finding.alike import AlikeObject
from mfp_model.masks.bounds import mask_iou
from mfp_model.masks.runs import MaskRuns
from tests.fakes import DiskSegmenter
from tests.unit.mfp_model.coco_folder import make_coco_folder, make_sbd_folder


def _result(*ious: float, **changes: Any) -> ObjectResult:  # noqa: ANN401
    confusion = Confusion(
        object_object=2, object_background=1, background_object=1, background_background=4
    )
    values: dict[str, Any] = {
        "name": "o",
        "ious": ious,
        "seconds": 0.1 * len(ious),
        "confusion": confusion,
        "boundary_f": 0.5,
        "n_object_px": 5000,
        "obeyed": (True,) * len(ious),
        "n_earlier": 0,
        "n_earlier_obeyed": 0,
    }
    return ObjectResult(**{**values, **changes})


def test_clicks_until_each_threshold_are_counted() -> None:
    scores = score([_result(0.5, 0.86, 0.96), _result(0.91, 0.93, *[0.94] * 18)])
    assert scores.noc == {"0.85": 1.5, "0.90": 2.0, "0.95": (3 + 20) / 2}
    assert scores.nof == {"0.85": 0, "0.90": 0, "0.95": 1}
    assert scores.miou_at[0] == pytest.approx(0.705)
    assert scores.miou_at[19] == pytest.approx(0.95)
    assert scores.n_objects == 2
    assert scores.spc_s == pytest.approx(0.1)
    assert scores.median_ms == pytest.approx(100)


def test_nothing_is_said_of_thresholds_that_clicking_stopped_before() -> None:
    scores = score([_result(0.5, 0.91)], goal=0.90)
    assert (scores.noc, scores.nof) == ({"0.85": 2, "0.90": 2}, {"0.85": 0, "0.90": 0})
    assert scores.noc_by_size["medium"] == scores.noc


def test_success_at_click_20_is_a_success() -> None:
    scores = score([_result(*[0.1] * 19, 0.96)])
    assert scores.noc["0.95"] == 20
    assert scores.nof["0.95"] == 0


def test_nothing_to_score_is_an_error() -> None:
    for results in ([], [_result()]):
        with pytest.raises(DataError, match="no object"):
            score(results)


def test_ignored_pixels_do_not_count() -> None:
    truth, valid = np.ones((2, 2), bool), np.ones((2, 2), bool)
    mask = truth.copy()
    mask[0, 0] = False
    assert mask_iou(mask, truth, valid) == 0.75
    valid[0, 0] = False
    assert mask_iou(mask, truth, valid) == 1


def _disk() -> EvaluationObject:
    rows, columns = np.mgrid[0:60, 0:60]
    truth = (rows - 30) ** 2 + (columns - 30) ** 2 < 400
    return EvaluationObject(
        name="disk",
        image=np.zeros((60, 60, 3), np.uint8),
        truth=truth,
        valid=np.ones_like(truth),
    )


def test_clicking_stops_at_the_goal() -> None:
    result = click_object(DiskSegmenter(radius=20), _disk()).result
    assert len(result.ious) == 1
    assert result.ious[0] > 0.95


def test_jittered_clicks_miss_the_aim_but_not_the_error() -> None:
    firsts = set()
    for seed in range(20):
        generator = np.random.default_rng(seed)
        segmenter = DiskSegmenter(radius=2)
        click_object(segmenter, _disk(), aim=Jitter(radius_px=6, generator=generator))
        first = segmenter.clicks[0]
        firsts.add((first.x, first.y))
        assert np.hypot(first.x - 30.5, first.y - 30.5) <= 6
    assert len(firsts) > 10


def test_people_click_into_the_part_that_is_most_wrong_the_hastier_the_further_out() -> None:
    errors = np.zeros((60, 60), bool)
    errors[5:45, 5:45] = True
    errors[50:58, 50:58] = True
    deepest = PixelClick(row=24, column=24, is_positive=True)
    distances = {}
    for name, spread in PEOPLE.items():
        person = Person(spread=spread, generator=np.random.default_rng(0))
        clicks = [person(deepest, errors) for _ in range(200)]
        assert all(errors[click.row, click.column] and click.row < 45 for click in clicks)
        assert all(click.is_positive for click in clicks)
        away = [max(abs(click.row - 24.5), abs(click.column - 24.5)) for click in clicks]
        distances[name] = np.mean(away)
    assert distances["careful"] < distances["ordinary"] < distances["hasty"]


def test_an_error_of_one_pixel_is_hit_by_everybody() -> None:
    errors = np.zeros((5, 5), bool)
    errors[2, 3] = True
    click = PixelClick(row=2, column=3, is_positive=False)
    for spread in PEOPLE.values():
        assert Person(spread=spread, generator=np.random.default_rng(0))(click, errors) == click


def test_clicks_that_are_not_obeyed_are_counted() -> None:
    result = click_object(DiskSegmenter(radius=0), _disk(), max_clicks=3).result
    assert result.obeyed == (False,) * 3
    assert (result.n_earlier, result.n_earlier_obeyed) == (3, 0)
    good = _result(0.5, 0.9, obeyed=(True, True), n_earlier=1, n_earlier_obeyed=1)
    bad = _result(0.5, 0.3, 0.4, obeyed=(True, False, True), n_earlier=3, n_earlier_obeyed=1)
    scores = score([good, bad])
    assert scores.newest_obeyed == pytest.approx(4 / 5)
    assert scores.all_obeyed == pytest.approx(6 / 9)
    assert scores.largest_fall == pytest.approx(0.2)
    assert scores.n_large_falls == 1
    assert bad.largest_fall == pytest.approx(0.2)


def test_clicks_are_counted_by_the_objects_size() -> None:
    scores = score([_result(0.9, n_object_px=1023), _result(0.1, 0.9, n_object_px=1024)])
    assert scores.n_by_size == {"small": 1, "medium": 1, "large": 0}
    assert scores.noc_by_size["small"]["0.85"] == 1
    assert scores.noc_by_size["medium"]["0.85"] == 2
    assert "large" not in scores.noc_by_size


def test_a_plot_shows_every_run() -> None:
    report = {"miou_at": [0.5 + 0.02 * k for k in range(20)], "auc": 0.7}
    curves = [Curve.from_report(report, name=name) for name in ("one", "two")]
    picture = np.asarray(Image.open(io.BytesIO(plot_curves(curves))))
    assert picture.shape[0] > 300
    with pytest.raises(DataError, match="miou_at"):
        Curve.from_report({"auc": 1.0}, name="three")


def test_the_ablation_has_the_supplements_rows() -> None:
    table = as_table({name: score([_result(0.9, 0.96)]) for name in VARIANTS})
    assert len(table.splitlines()) == 2 + 8
    assert "| RGB distance | 1.00 | 1.00 | 2.00 | 0.9" in table


def test_pairs_are_read(tmp_path: Path) -> None:
    for name, images, truths in (
        ("grabcut", "data_GT", "boundary_GT"),
        ("davis", "img", "gt"),
        ("berkeley", "images", "masks"),
    ):
        for folder in (images, truths):
            (tmp_path / folder).mkdir()
        Image.new("RGB", (8, 6), "red").save(tmp_path / images / "a.jpg")
        truth = np.array([[0, 128, 255, 255]], np.uint8).repeat(6, 0).repeat(2, 1)
        Image.fromarray(truth).save(tmp_path / truths / "a.png")
        (target,) = READERS[name](tmp_path)
        assert target.image.shape == (6, 8, 3)
        assert target.truth.sum() == 24
        assert (~target.valid).sum() == 12


def test_instances_are_read(tmp_path: Path) -> None:
    squares = list(READERS["coco"](make_coco_folder(tmp_path / "coco")))
    assert [target.truth.sum() for target in squares] == [900] * 6
    objects = list(READERS["sbd"](make_sbd_folder(tmp_path / "sbd", split="val")))
    assert [target.truth.sum() for target in objects] == [400, 9]
    assert (~objects[0].valid).sum() == 50


def test_bsds500_gives_the_regions_of_the_coarsest_annotator(tmp_path: Path) -> None:
    for folder in ("images/val", "groundTruth/val"):
        (tmp_path / folder).mkdir(parents=True)
    Image.new("RGB", (40, 30)).save(tmp_path / "images" / "val" / "a.jpg")
    fine = np.arange(1200, dtype=np.uint16).reshape(30, 40) // 100 + 1
    coarse = np.where(np.arange(40) < 20, 1, 2).astype(np.uint16).repeat(30).reshape(40, 30).T
    coarse[0, 0] = 3  # too small to count
    cells = np.empty((1, 2), object)
    for index, regions in enumerate((fine, coarse)):
        cells[0, index] = {"Segmentation": regions}
    savemat(tmp_path / "groundTruth" / "val" / "a.mat", {"groundTruth": cells})
    targets = list(READERS["bsds500"](tmp_path))
    assert [int(target.truth.sum()) for target in targets] == [599, 600]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("grabcut", "data_GT"),
        ("berkeley", "images"),
        ("davis", "img"),
        ("coco", r"annotations\.json"),
        ("sbd", r"val\.txt"),
        ("bsds500", "groundTruth"),
    ],
)
def test_an_incomplete_folder_names_what_is_missing(
    name: str, missing: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=missing):
        list(READERS[name](tmp_path))


def test_an_image_without_truth_or_of_another_size_is_named(tmp_path: Path) -> None:
    for folder in ("img", "gt"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "img" / "a.jpg")
    with pytest.raises(DataError, match=r"a\.jpg"):
        list(READERS["davis"](tmp_path))
    Image.new("L", (9, 6)).save(tmp_path / "gt" / "a.png")
    with pytest.raises(DataError, match="a: masks of 9x6 pixels, the image file has 8x6"):
        list(READERS["davis"](tmp_path))


def test_one_damaged_object_does_not_end_the_others(tmp_path: Path) -> None:
    root = make_coco_folder(tmp_path)
    content = json.loads((root / "annotations.json").read_text())
    rows = content["annotations"]
    rows[0]["segmentation"] = []
    rows[1]["segmentation"]["counts"] = [4800]
    rows[3]["clicks"] = [[1, 2]]
    rows[4]["prior"] = {"size": [3, 3], "counts": "9"}
    (root / "annotations.json").write_text(json.dumps(content))
    Image.new("RGB", (9, 9)).save(root / "images" / "2.png")
    problems: list[str] = []
    assert list(READERS["coco"](root, on_problem=problems.append)) == []
    for message in (
        "annotation 0: segmentation: no polygon",
        "image 0: annotation 1: a mask without a pixel",
        "image 1: annotation 3: 1.png#3: clicks",
        "image 1: annotation 4: segmentation of [3, 3]",
        "image 2: annotation 6: masks of 80x60 pixels, the image file has 9x9",
        "image 2: annotation 7: ",
    ):
        assert sum(message in problem for problem in problems) == 1, message
    with pytest.raises(DataError, match="no polygon"):
        list(READERS["coco"](root))


def test_one_unreadable_image_does_not_end_the_others(tmp_path: Path) -> None:
    for folder, name in (("img", "a.png"), ("gt", "a.png"), ("img", "b.png"), ("gt", "b.png")):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("L", (8, 8), 255).save(tmp_path / folder / name)
    (tmp_path / "img" / "a.png").write_text("no image")
    problems: list[str] = []
    (target,) = READERS["davis"](tmp_path, on_problem=problems.append)
    assert target.name == "b"
    assert "img/a.png: 8 bytes that are no image file" in problems[0]


def test_what_has_no_pixel_is_told_and_is_none_of_those_to_be_found(tmp_path: Path) -> None:
    content = json.loads((make_coco_folder(tmp_path) / "annotations.json").read_text())
    content["images"] = content["images"][:1]
    square = {"image_id": 0, "category_id": 1}
    beside = {**square, "segmentation": [[-30, 10, -10, 10, -10, 30, -30, 30]]}
    there = [
        {**square, "id": 10 + n, "segmentation": [[n, 5, n + 6, 5, n + 6, 9 + n, n, 9 + n]]}
        for n in range(0, 30, 10)
    ]
    rows = [*there, *({**beside, "id": n} for n in range(4))]
    (tmp_path / "annotations.json").write_text(json.dumps({**content, "annotations": rows}))
    problems: list[str] = []
    data = read_coco(tmp_path)
    (image,) = alike_images(data, min_objects=3, on_problem=problems.append)
    assert (image.example.sum(), len(image.others)) == (84, 2)
    assert len(problems) == 4
    assert "annotation 0: a mask without a pixel" in problems[0]
    assert not list(alike_images(data, min_objects=4, on_problem=problems.append))


def test_an_answer_on_a_crowd_of_the_category_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.loads((make_coco_folder(tmp_path) / "annotations.json").read_text())
    content["images"] = content["images"][:1]
    height, width = content["images"][0]["height"], content["images"][0]["width"]
    rows, answers = [], []
    for number, (category, is_crowd) in enumerate([(1, 0), (1, 0), (1, 1), (2, 1), (2, 0)]):
        x, mask = 10 * number, np.zeros((height, width), dtype=np.bool_)
        mask[5:9, x : x + 6] = True
        answers.append(AlikeObject(runs=MaskRuns.of(mask), score=1.0))
        square = [[x, 5, x + 6, 5, x + 6, 9, x, 9]]
        rows.append({"id": number, "image_id": 0, "category_id": category, "iscrowd": is_crowd})
        rows[-1]["segmentation"] = square
    content |= {"annotations": rows, "categories": [{"id": n, "name": str(n)} for n in (1, 2)]}
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    monkeypatch.setattr(alike, "example_of", lambda *_: None)
    monkeypatch.setattr(alike, "find_alike", lambda *_, **__: answers[1:])
    (scores,) = evaluate_alike(
        DiskSegmenter(), alike_images(read_coco(tmp_path), min_objects=2), example="mask"
    )
    assert (scores.n_objects, scores.n_found, scores.n_answers) == (1, 1, 3)
