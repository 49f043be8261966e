"""Pictures of masks, read as their makers mean them, or refused by name."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mfp_model.errors import DataError
from mfp_model.evaluation.datasets import READERS
from mfp_model.evaluation.truths import read_numbered, read_truth

_ROWS, _COLUMNS = np.mgrid[0:20, 0:30]
_OBJECT = (_COLUMNS > 4) & (_COLUMNS < 12) & (_ROWS > 5)
_OTHER = _COLUMNS > 24
_RING = (_COLUMNS > 3) & (_COLUMNS < 13) & (_ROWS > 4) & ~_OBJECT


def _indices() -> np.ndarray:
    values = np.zeros((20, 30), np.uint8)
    values[_OBJECT], values[_OTHER], values[_RING] = 1, 2, 255
    return values


def _palette(values: np.ndarray, path: Path) -> Path:
    picture = Image.fromarray(values, "P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [9] * 756 + [224, 224, 192])
    picture.save(path)
    return path


def _saved(values: np.ndarray, path: Path) -> Path:
    Image.fromarray(values).save(path)
    return path


@pytest.mark.parametrize("scale", [1, 255])
def test_zero_and_one_mean_what_zero_and_255_mean(tmp_path: Path, scale: int) -> None:
    truth = read_truth(_saved(_OBJECT.astype(np.uint8) * np.uint8(scale), tmp_path / "x.png"))
    assert (truth.mask == _OBJECT).all()
    assert truth.valid.all()


def test_a_palette_and_one_bit_are_read_by_their_numbers(tmp_path: Path) -> None:
    for path in (
        _palette(_OBJECT.astype(np.uint8), tmp_path / "p.png"),
        _saved(_OBJECT, tmp_path / "b.png"),
    ):
        assert (read_truth(path).mask == _OBJECT).all()


def test_128_does_not_count(tmp_path: Path) -> None:
    values = np.where(_OBJECT, 255, np.where(_RING, 128, 0)).astype(np.uint8)
    truth = read_truth(_saved(values, tmp_path / "x.png"))
    assert (truth.mask == _OBJECT).all()
    assert (truth.valid == ~_RING).all()


def test_a_mask_in_alpha_is_the_alpha(tmp_path: Path) -> None:
    pixels = np.full((20, 30, 4), 200, np.uint8)
    pixels[..., 3] = np.where(_OBJECT, 255, 0)
    assert (read_truth(_saved(pixels, tmp_path / "x.png")).mask == _OBJECT).all()
    pixels[..., :3] = np.where(_OBJECT, 255, 0)[..., None]
    pixels[..., 3] = 255
    assert (read_truth(_saved(pixels, tmp_path / "y.png")).mask == _OBJECT).all()


def test_numbered_objects_and_a_void_ring_are_no_single_object(tmp_path: Path) -> None:
    for path in (
        _palette(_indices(), tmp_path / "p.png"),
        _saved(_indices(), tmp_path / "g.png"),
        _palette(np.where(_RING, 255, _OBJECT).astype(np.uint8), tmp_path / "v.png"),
    ):
        with pytest.raises(DataError, match=rf"{path.name}: values 0, 1, .*--format index"):
            read_truth(path)


@pytest.mark.parametrize("form", ["palette", "grey", "16 bits", "colours"])
def test_each_number_is_an_object_and_void_does_not_count(tmp_path: Path, form: str) -> None:
    values, path = _indices(), tmp_path / "x.png"
    if form == "palette":
        _palette(values, path)
    elif form == "colours":
        colours = np.zeros((256, 3), np.uint8)
        colours[1], colours[2], colours[255] = (128, 0, 0), (0, 128, 0), (224, 224, 192)
        _saved(colours[values], path)
    else:
        _saved(values if form == "grey" else values.astype(np.uint16), path)
    first, second = (truth for _, truth in sorted(read_numbered(path).items(), reverse=True))
    masks = (first, second) if form == "colours" else (second, first)
    assert (masks[0].mask == _OBJECT).all()
    assert (masks[1].mask == _OTHER).all()
    assert (first.valid == ~_RING).all()


def _photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30, 20), "teal").save(path)


def test_davis_2017_counts_each_object_of_its_index_masks(tmp_path: Path) -> None:
    for frame in ("00000", "00001"):
        _photo(tmp_path / f"JPEGImages/480p/dog/{frame}.jpg")
        (tmp_path / "Annotations/480p/dog").mkdir(parents=True, exist_ok=True)
        _palette(_indices(), tmp_path / f"Annotations/480p/dog/{frame}.png")
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/val.txt").write_text("dog\n")
    targets = list(READERS["davis2017"](tmp_path))
    assert [target.name for target in targets] == [
        f"dog/{frame}#{number}" for frame in ("00000", "00001") for number in (1, 2)
    ]
    assert (targets[0].truth == _OBJECT).all()
    assert (targets[0].valid == ~_RING).all()


def test_voc_objects_are_read_and_a_missing_picture_is_told(tmp_path: Path) -> None:
    _photo(tmp_path / "JPEGImages/a.jpg")
    (tmp_path / "SegmentationObject").mkdir()
    _palette(_indices(), tmp_path / "SegmentationObject/a.png")
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("a\nb\n")
    problems: list[str] = []
    targets = list(READERS["voc"](tmp_path, on_problem=problems.append))
    assert [target.name for target in targets] == ["a#1", "a#2"]
    (problem,) = problems
    assert "SegmentationObject/b.png" in problem


def test_pairs_without_a_truth_and_of_another_meaning_are_told_and_the_rest_is_read(
    tmp_path: Path,
) -> None:
    for name in "abcd":
        _photo(tmp_path / f"images/{name}.jpg")
    (tmp_path / "masks").mkdir()
    _saved(_OBJECT.astype(np.uint8), tmp_path / "masks/a.png")
    _palette(_indices(), tmp_path / "masks/b.png")
    _saved(_OBJECT[:10], tmp_path / "masks/d.png")
    _photo(tmp_path / "images/e.jpg")
    _saved(_OBJECT & False, tmp_path / "masks/e.png")
    problems: list[str] = []
    targets = list(READERS["berkeley"](tmp_path, on_problem=problems.append))
    assert [target.name for target in targets] == ["a"]
    assert len(problems) == 4
    messages = "\n".join(problems)
    for part in (
        "b.png: values 0, 1, 2, 255",
        "no truth for c.jpg",
        "e: a mask without a pixel",
        "d: masks of 30x10 pixels, the image file has 30x20",
    ):
        assert part in messages, part
    problems.clear()
    targets = list(READERS["index"](tmp_path, on_problem=problems.append))
    assert [target.name for target in targets] == ["a#1", "b#1", "b#2"]


@pytest.mark.parametrize(
    ("form", "images", "truths"),
    [("berkeley", "images", "masks"), ("voc", "JPEGImages", "SegmentationObject")],
)
def test_a_truth_of_more_pixels_than_can_be_read_is_told_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, images: str, truths: str
) -> None:
    (tmp_path / truths).mkdir()
    for name, often in (("a", 1), ("b", 2)):
        _photo(tmp_path / images / f"{name}.jpg")
        truth = np.tile(_OBJECT.astype(np.uint8), (often, often))
        Image.fromarray(truth).save(tmp_path / truths / f"{name}.png")
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("b\na\n")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", _OBJECT.size)
    problems: list[str] = []
    (target,) = READERS[form](tmp_path, on_problem=problems.append)
    assert (target.name[0], len(problems)) == ("a", 1)
    assert f"{truths}/b.png: not a readable picture" in problems[0]
