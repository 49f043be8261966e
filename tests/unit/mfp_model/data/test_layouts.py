"""COCO folders as tools make them, and photos that lie turned in their files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mfp_model.data.coco import read_coco
from mfp_model.data.orientation import turned
from mfp_model.errors import DataError
from mfp_model.evaluation.datasets import coco_objects
from mfp_model.fine_tuning.corrections import split_corrections
from mfp_model.masks.rle import encode_mask
from mfp_model.training.datasets import read_dataset

_MASK = np.zeros((40, 60), dtype=np.bool_)
_MASK[5:15, 10:50] = True


def _write(path: Path, *, name: str, mask: np.ndarray = _MASK, info: object = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = mask.shape
    content = {
        "info": info or {},
        "images": [{"id": 1, "file_name": name, "height": height, "width": width}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": encode_mask(mask)}
        ],
        "categories": [{"id": 1, "name": "bar"}],
    }
    path.write_text(json.dumps(content))


def _photo(path: Path, turn: int = 1) -> None:
    """A photo whose stored pixels are white where the mask is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = turn
    pixels = np.repeat(np.where(_MASK, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    Image.fromarray(pixels).save(path, exif=exif)


@pytest.mark.parametrize(
    ("annotations", "name", "image"),
    [
        ("annotations.json", "a.png", "images/a.png"),
        ("annotations.json", "images/a.png", "images/a.png"),
        ("annotations.json", "images\\a.png", "images/a.png"),
        ("annotations.json", "deep/a.png", "images/deep/a.png"),
        ("result.json", "images/a.png", "images/a.png"),
        ("result_coco.json", "images/a.png", "images/a.png"),
        ("_annotations.coco.json", "a.png", "a.png"),
        ("annotations/instances_val2017.json", "a.png", "val2017/a.png"),
        ("annotations/instances_default.json", "a.png", "images/a.png"),
        ("annotations/instances_train.json", "a.png", "images/train/a.png"),
        ("annotations/instances_train.json", "train/a.png", "images/train/a.png"),
    ],
)
def test_folders_are_read_as_tools_make_them(
    tmp_path: Path, annotations: str, name: str, image: str
) -> None:
    _write(tmp_path / annotations, name=name)
    _photo(tmp_path / image)
    for given in (tmp_path, tmp_path / annotations):
        assert read_coco(given).images[0].path == tmp_path / image
    (sample,) = read_dataset(tmp_path)
    assert (sample.mask(0, height=40, width=60) == _MASK).all()
    (target,) = coco_objects(tmp_path)
    assert (target.truth == _MASK).all()


@pytest.mark.parametrize(
    "name",
    [
        "../label-studio/data/media/upload/3/0cba4b79-a.png",
        "/label-studio/data/media/upload/3/0cba4b79-a.png",
        "..\\media\\upload\\3\\0cba4b79-a.png",
    ],
)
def test_uploads_that_label_studio_names_by_their_path_there_lie_in_images(
    tmp_path: Path, name: str
) -> None:
    _write(tmp_path / "result.json", name=name, info={"contributor": "Label Studio"})
    _photo(tmp_path / "images" / "0cba4b79-a.png")
    (image,) = read_coco(tmp_path).images
    assert image.path == tmp_path / "images" / "0cba4b79-a.png"
    assert image.file_name == "0cba4b79-a.png"
    _write(tmp_path / "result.json", name=name)
    problems: list[str] = []
    assert not read_coco(tmp_path, on_problem=problems.append).images
    assert "expected a file in images/" in problems[0]


def test_of_several_files_of_annotations_none_is_guessed(tmp_path: Path) -> None:
    for split in ("train", "val"):
        _write(tmp_path / f"annotations/instances_{split}.json", name="a.png")
    with pytest.raises(DataError, match="name the one that is meant"):
        read_coco(tmp_path)


@pytest.mark.parametrize("name", ["..\\a.png", "/etc/passwd", "C:\\a.png", "x/../../a.png", ""])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    _write(tmp_path / "annotations.json", name=name)
    problems: list[str] = []
    assert not read_coco(tmp_path, on_problem=problems.append).images
    assert "expected a file in images/" in problems[0]


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("is_as_shown", [False, True])
def test_masks_lie_on_the_photo_as_it_is_shown_in_training_and_evaluation_alike(
    tmp_path: Path, turn: int, is_as_shown: bool
) -> None:
    drawn = turned(_MASK, turn) if is_as_shown else _MASK
    info = {"contributor": "Label Studio"} if is_as_shown else {}
    _write(tmp_path / "annotations.json", name="a.png", mask=drawn, info=info)
    _photo(tmp_path / "images/a.png", turn)
    (image,) = read_dataset(tmp_path)
    pixels = image.pixels()
    mask = image.mask(0, height=pixels.shape[0], width=pixels.shape[1])
    assert (mask == (pixels[..., 0] > 127)).all()
    assert (mask == turned(_MASK, turn)).all()
    (target,) = coco_objects(tmp_path)
    assert (target.truth == (target.image[..., 0] > 127)).all()
    entry = json.loads((tmp_path / "annotations.json").read_text())["annotations"][0]
    assert (coco_mask.decode(entry["segmentation"]).astype(bool) == drawn).all()


def test_a_file_of_another_size_or_cut_off_or_no_picture_is_left_out_and_named(
    tmp_path: Path,
) -> None:
    content = {
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "height": 40, "width": 60 + (n == 1)}
            for n in range(4)
        ],
        "annotations": [
            {"id": n, "image_id": n, "segmentation": [[5, 5, 30, 5, 30, 30]]} for n in range(4)
        ],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    (tmp_path / "images").mkdir()
    for n in range(4):
        Image.fromarray(noise).save(tmp_path / f"images/{n}.jpg")
    whole = (tmp_path / "images/2.jpg").read_bytes()
    (tmp_path / "images/2.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "images/3.jpg").write_text("<html>sign in</html>")
    for read in (
        read_dataset,
        lambda root, on_problem: list(coco_objects(root, on_problem=on_problem)),
    ):
        problems: list[str] = []
        items = list(read(tmp_path, on_problem=problems.append))  # type: ignore[operator]
        assert len(items) == 1
        messages = "\n".join(problems)
        assert len(problems) == 3
        assert "image 1: " in messages
        assert "61x40" in messages
        assert "2.jpg: image cannot be decoded" in messages
        assert "3.jpg: 20 bytes that are a web page" in messages


def test_corrections_keep_how_turned_photos_were_drawn_on(tmp_path: Path) -> None:
    rows, annotations = [], []
    for n in range(5):
        _photo(tmp_path / f"images/deep/{n}.png", turn=3)
        name = f"images/deep/{n}.png"
        with (tmp_path / name).open("ab") as file:
            file.write(bytes([n]))  # behind the picture: copies of one photo would not be split
        rows.append({"id": n, "file_name": name, "height": 40, "width": 60})
        shape = encode_mask(turned(_MASK, 3))
        annotations.append({"id": n, "image_id": n, "segmentation": shape})
    info = {"contributor": "Label Studio"}
    content = {"info": info, "images": rows, "annotations": annotations}
    (tmp_path / "result.json").write_text(json.dumps(content))
    split = split_corrections(tmp_path, tmp_path / "split")
    for folder, n_images in ((split.train, 4), (split.held_out, 1)):
        images = read_dataset(folder)
        assert len(images) == n_images
        assert (images[0].mask(0, height=40, width=60) == turned(_MASK, 3)).all()


@pytest.mark.parametrize("file", ["lvis_v1_val.json", "annotations/lvis_v1_val.json"])
@pytest.mark.parametrize("folder", ["val2017", "images/val2017"])
def test_lvis_has_its_images_beside_cocos_whatever_its_file_is_called(
    tmp_path: Path, file: str, folder: str
) -> None:
    _photo(tmp_path / folder / "a.png")
    _write(tmp_path / file, name="")
    document = json.loads((tmp_path / file).read_text())
    del document["images"][0]["file_name"]
    document["images"][0]["coco_url"] = "http://images.cocodataset.org/val2017/a.png"
    (tmp_path / file).write_text(json.dumps(document))
    (image,) = read_dataset(tmp_path / file)
    assert image.path == tmp_path / folder / "a.png"
