import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mfp_model.data.damage import damaged
from mfp_model.data.sbd import read_instances
from mfp_model.errors import DataError
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.datasets import read_dataset
from mfp_model.training.samples import ClickSamples, SampleSource
from tests.unit.mfp_model.coco_folder import make_coco_folder, make_sbd_folder

_PHASE = Phase(height=64, width=96, batch=2)


def _samples(folder: Path, **changes: float) -> ClickSamples:
    config = TrainingConfig(
        folders=((folder, 1.0),),
        phases=(_PHASE,),
        n_samples=8,
        seed=3,
        **changes,  # type: ignore[arg-type]
    )
    return ClickSamples(SampleSource.read(config), config, _PHASE)


def test_polygons_and_rle_are_read_and_crowds_are_ignored(folder: Path) -> None:
    images = read_dataset(folder)
    assert [len(image.objects) for image in images] == [2, 2, 2]
    for index in range(2):
        assert images[0].mask(index, height=60, width=80).sum() == 900
    assert images[0].ignored(height=60, width=80).sum() == 900


def test_small_objects_are_left_out(folder: Path) -> None:
    with pytest.raises(DataError, match="901 px"):
        read_dataset(folder, min_object_px=901)


def test_an_object_beside_the_image_is_left_out_whatever_area_it_tells(
    folder: Path, tmp_path: Path
) -> None:
    content = json.loads((folder / "annotations.json").read_text())
    content["images"] = [content["images"][0]]
    beside = [[-30, 10, -10, 10, -10, 30, -30, 30]]
    rows = [{**content["annotations"][0], "area": 800}, {**content["annotations"][1], "area": 400}]
    rows[1]["segmentation"] = beside
    (tmp_path / "images").symlink_to(folder / "images")
    (tmp_path / "annotations.json").write_text(json.dumps({**content, "annotations": rows}))
    (image,) = read_dataset(tmp_path, min_object_px=80)
    assert image.areas == (800.0,)  # as the file tells
    samples = _samples(tmp_path, paste_probability=1.0, merge_probability=0.0)
    assert all((samples[index].truth > 0).any() for index in range(10))


def test_sbd_is_read_and_its_void_is_ignored(tmp_path: Path) -> None:
    root = make_sbd_folder(tmp_path, split="train")
    (image,) = read_dataset(root, min_object_px=50)
    assert image.pixels().shape == (40, 50, 3)
    assert len(image.objects) == 1  # the other one is too small
    assert image.mask(0, height=40, width=50).sum() == 400
    assert image.ignored(height=40, width=50).sum() == 50


def test_lvis_names_its_images_by_address(tmp_path: Path) -> None:
    (tmp_path / "train2017").mkdir()
    Image.new("RGB", (30, 20)).save(tmp_path / "train2017" / "7.jpg")
    square = [[2, 2, 12, 2, 12, 12, 2, 12]]
    content = {
        "images": [{"id": 7, "height": 20, "width": 30, "coco_url": "http://x/train2017/7.jpg"}],
        "annotations": [{"id": 1, "image_id": 7, "segmentation": square, "area": 100.0}],
    }
    path = tmp_path / "lvis_v1_train.json"
    path.write_text(json.dumps(content))
    (image,) = read_dataset(path)
    assert image.pixels().shape == (20, 30, 3)
    assert image.areas == (100.0,)


def test_what_is_no_data_set_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"annotations\.json"):
        read_dataset(tmp_path)
    (tmp_path / "inst").mkdir()
    with pytest.raises(DataError, match=r"train\.txt"):
        read_dataset(tmp_path)
    (tmp_path / "train.txt").write_text("a")
    with pytest.raises(DataError, match="GTinst"):
        read_dataset(tmp_path)
    savemat(tmp_path / "inst" / "a.mat", {"other": 1})
    with pytest.raises(DataError, match="GTinst"):
        read_dataset(tmp_path)


def test_an_image_that_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text((folder / "annotations.json").read_text())
    with pytest.raises(DataError, match=r"image 0: no such file: .*images/0\.png"):
        _samples(tmp_path)
    (tmp_path / "images").mkdir()
    for number in range(3):
        (tmp_path / "images" / f"{number}.png").write_text("no image")
    with pytest.raises(DataError, match=r"image 0: .*0\.png: 8 bytes that are no image file"):
        _samples(tmp_path)


def test_what_is_damaged_is_told_before_anything_is_learned_and_the_rest_is_learned_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_coco_folder(tmp_path)
    content = json.loads((root / "annotations.json").read_text())
    first, second, *_ = content["annotations"]
    first["segmentation"] = []
    second["weight"] = -1
    content["annotations"][3]["area"] = 3.0
    (root / "annotations.json").write_text(json.dumps(content))
    (root / "images" / "2.png").unlink()
    problems: list[str] = []
    (image,) = read_dataset(root, min_object_px=4, on_problem=problems.append)
    assert (image.path.name, len(image.objects)) == ("1.png", 1)
    assert [problem.split("annotations.json: ")[1] for problem in problems] == [
        "image 0: annotation 0: segmentation: no polygon, expected at least one",
        "image 0: annotation 1: weight=-1, expected a number above 0",
        f"image 2: no such file: {root / 'images' / '2.png'}",
    ]
    assert "1 objects below 4 px are left out" in caplog.text


def test_a_damaged_instance_file_of_sbd_does_not_end_the_rest(tmp_path: Path) -> None:
    root = make_sbd_folder(tmp_path, split="train")
    (root / "train.txt").write_text("missing\na\n")
    problems: list[str] = []
    assert len(read_dataset(root, on_problem=problems.append)) == 1
    assert "missing.mat" in problems[0]


def test_an_instance_file_of_sbd_is_refused_by_name_wherever_it_is_damaged(tmp_path: Path) -> None:
    path = make_sbd_folder(tmp_path, split="train") / "inst" / "a.mat"
    instances = read_instances(path)
    savemat(path, {"GTinst": {"Segmentation": instances}}, do_compression=True)
    whole = path.read_bytes()
    for n_bytes in range(0, len(whole), 9):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(DataError, match=r"a\.mat: expected SBD's GTinst"):
            read_instances(path)
    path.write_bytes(
        whole[:200] + bytes([whole[200] ^ 64]) + whole[201:]
    )  # zlib's checksum is wrong
    with pytest.raises(DataError, match=r"a\.mat: expected SBD's GTinst"):
        read_instances(path)


def test_sample_i_depends_on_the_seed_and_i_alone(folder: Path) -> None:
    chances = {"paste_probability": 0.5, "prior_probability": 0.5, "merge_probability": 0.5}
    first, second = _samples(folder, **chances), _samples(folder, **chances)
    for index in (5, 2, 9):
        for part, again in zip(first[index], second[index], strict=True):
            np.testing.assert_array_equal(part, again)


def test_samples_have_pixels_truth_and_now_and_then_a_prior(folder: Path) -> None:
    samples = _samples(folder, paste_probability=0.5, prior_probability=0.5)
    n_priors = 0
    for index in range(30):
        pixels, truth, prior, *_ = (part.numpy() for part in samples[index])
        assert pixels.shape == (3, 64, 96)
        assert pixels.dtype == np.uint8
        assert set(np.unique(truth)) <= {-1, 0, 1}
        assert set(np.unique(prior)) <= {0, 1}
        n_priors += bool(prior.any())
    assert 5 <= n_priors <= 25


def test_a_box_lies_around_the_object_and_a_sample_has_one_or_a_mask_or_nothing(
    folder: Path,
) -> None:
    samples = _samples(folder, prior_probability=0.4, box_probability=0.4)
    kinds = []
    for index in range(40):
        _, truth, prior, is_box, _ = (part.numpy() for part in samples[index])
        kinds.append("box" if is_box else "mask" if prior.any() else "nothing")
        if is_box:
            rows, columns = np.flatnonzero(prior.any(axis=1)), np.flatnonzero(prior.any(axis=0))
            assert prior[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            assert (prior[truth > 0] > 0).mean() > 0.85
    assert {kinds.count(kind) > 4 for kind in ("box", "mask", "nothing")} == {True}


def test_what_a_crop_cuts_off_is_counted(folder: Path) -> None:
    for index in range(20):
        sample = _samples(folder)[index]
        n_inside, n_outside = int((sample.truth > 0).sum()), float(sample.n_outside_px)
        assert n_outside >= 0
        if (sample.truth > 0)[[0, -1]].any() or (sample.truth > 0)[:, [0, -1]].any():
            continue
        assert n_outside < 0.1 * n_inside + 20  # whole, but for rounding


def test_what_lies_outside_the_image_is_ignored(folder: Path) -> None:
    samples = _samples(folder)
    assert any((samples[index][1] == -1).any() for index in range(20))


def test_damage_changes_a_mask_and_keeps_some_of_it() -> None:
    truth = np.zeros((80, 90), np.uint8)
    truth[20:60, 25:70] = 1
    generator = np.random.default_rng(0)
    ious = []
    for _ in range(200):
        mask = damaged(truth, generator)
        assert mask.shape == truth.shape
        assert mask.dtype == np.uint8
        assert mask.max() <= 1
        ious.append((mask & truth).sum() / (mask | truth).sum())
    assert np.mean(np.array(ious) < 0.98) > 0.8
    assert 0.5 < np.mean(ious) < 0.95
    damaged(np.zeros((5, 5), np.uint8), generator)
    damaged(np.ones((1, 1), np.uint8), generator)
