"""The one reader of COCO: what is damaged is named and left out, the rest is read."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from mfp_model.data.coco import read_coco
from mfp_model.data.coco_data import CocoData
from mfp_model.data.coco_writing import write_coco
from mfp_model.errors import DataError
from mfp_model.masks.rle import encode_mask

_SQUARE = [[2, 2, 12, 2, 12, 12, 2, 12]]
_IMAGE = {"id": 1, "file_name": "a.png", "height": 20, "width": 30}
_MASK = {"id": 1, "image_id": 1, "category_id": 7, "segmentation": _SQUARE, "iscrowd": 0}
_CAT = {"id": 7, "name": "cat"}


def _write(folder: Path, **tables: object) -> Path:
    path = folder / "annotations.json"
    content = {"images": [_IMAGE], "annotations": [_MASK], "categories": [_CAT], **tables}
    path.write_text(json.dumps(content))
    return path


def _read(folder: Path, **tables: object) -> tuple[CocoData, list[str]]:
    problems: list[str] = []
    _write(folder, **tables)
    return read_coco(folder, on_problem=problems.append), problems


def test_images_masks_crowds_and_categories_are_read(tmp_path: Path) -> None:
    crowd = {**_MASK, "id": 2, "iscrowd": 1, "segmentation": encode_mask(np.eye(20, 30) > 0)}
    empty = {**_IMAGE, "id": "b", "file_name": "b.png"}
    data, problems = _read(tmp_path, images=[_IMAGE, empty], annotations=[_MASK, crowd])
    assert not problems
    first, second = data.images
    assert (first.id, first.path, first.height) == (1, tmp_path / "images" / "a.png", 20)
    assert [mask.is_crowd for mask in first.annotations] == [False, True]
    assert [mask.category for mask in first.objects] == ["cat"]
    assert first.mask(first.objects[0]).sum() == 100
    assert first.mask(first.annotations[1]).sum() == 20
    assert second.annotations == ()
    assert data.categories == {7: "cat"}


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = _write(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_coco(path).images[0].objects) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segmentation": [[float("nan"), *_SQUARE[0][1:]]]}, "finite"),
        ({"segmentation": [[float("inf"), *_SQUARE[0][1:]]]}, "finite"),
        ({"segmentation": [[3e8, *_SQUARE[0][1:]]]}, "finite numbers in -30..60"),
        ({"segmentation": [[]]}, "0 numbers"),
        ({"segmentation": []}, "no polygon"),
        ({"segmentation": [_SQUARE[0][:7]]}, "7 numbers"),
        ({"segmentation": None}, "expected polygons or COCO RLE"),
        ({"segmentation": {"size": [20, 30], "counts": [700, -100]}}, "none below 0"),
        ({"segmentation": {"size": [20, 30], "counts": [100, 100]}}, "200 pixels in all"),
        ({"segmentation": {"size": [20, 30], "counts": "\u2603"}}, "COCO's letters"),
        ({"segmentation": {"size": [30, 20], "counts": [600]}}, r"expected \[20, 30\]"),
        ({"iscrowd": "yes"}, "iscrowd='yes', expected 0 or 1"),
        ({"category_id": [7]}, r"category_id=\[7\]"),
    ],
)
def test_a_damaged_mask_is_named_and_the_others_are_read(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    good = {**_MASK, "id": 99}
    data, problems = _read(tmp_path, annotations=[{**_MASK, **changes}, good])
    assert [mask.id for mask in data.images[0].annotations] == [99]
    (problem,) = problems
    assert problem.startswith(f"{tmp_path / 'annotations.json'}: image 1: annotation 1: ")
    assert re.search(message, problem)
    with pytest.raises(DataError, match=message):
        read_coco(tmp_path)


def test_a_mask_without_a_segmentation_is_named(tmp_path: Path) -> None:
    data, problems = _read(tmp_path, annotations=[{"id": 4, "image_id": 1}])
    assert not data.images[0].annotations
    assert "image 1: annotation 4: segmentation None: expected polygons" in problems[0]


def test_masks_of_one_image_with_one_fault_are_told_as_one(tmp_path: Path) -> None:
    other = {**_IMAGE, "id": 2, "file_name": "b.png", "height": 0}
    turned = {"segmentation": encode_mask(np.ones((30, 20), dtype=np.bool_))}
    masks = [{**_MASK, **turned, "id": number} for number in range(3)]
    masks += [{**_MASK, "image_id": 2, "id": number} for number in range(3, 6)]
    _, problems = _read(tmp_path, images=[_IMAGE, other], annotations=masks)
    start = f"{tmp_path / 'annotations.json'}: "
    assert [problem.removeprefix(start) for problem in problems[1:]] == [
        "image 1: annotation 0 and 2 more: segmentation of [30, 20]: expected [20, 30]",
        "image 2: annotation 3 and 2 more: its image is unknown or left out",
    ]


def test_ids_that_say_nothing_clear_are_named(tmp_path: Path) -> None:
    other = {**_IMAGE, "id": 2, "file_name": "b.png"}
    twice = {**other, "file_name": "c.png"}
    masks = [
        _MASK,
        {**_MASK, "segmentation": encode_mask(np.ones((20, 30), dtype=np.bool_))},
        {**_MASK, "id": 3, "image_id": 2},
        {**_MASK, "id": 4, "image_id": 5},
        {**_MASK, "id": None},
        {**_MASK, "id": 6, "image_id": {}},
        "nonsense",
    ]
    data, problems = _read(tmp_path, images=[_IMAGE, _IMAGE, other, twice], annotations=masks)
    assert [image.id for image in data.images] == [1]
    assert [mask.segmentation for mask in data.images[0].objects] == [_SQUARE]
    start = f"{tmp_path / 'annotations.json'}: "
    assert [problem.removeprefix(start) for problem in problems] == [
        "image 2: is 'b.png', and 'c.png', too",
        "image 1: annotation 1: another one has this id",
        "image 2: annotation 3: its image is unknown or left out",
        "image 5: annotation 4: its image is unknown or left out",
        "annotation [4]: id=None, expected a number",
        "annotation 6: image_id={}, expected a number",
        "annotation [6]: 'nonsense', expected an object",
    ]


def test_whole_numbers_with_a_point_are_ids(tmp_path: Path) -> None:
    images, masks = [{**_IMAGE, "id": 1.0}], [{**_MASK, "id": 2.0, "image_id": 1.0}]
    data, problems = _read(tmp_path, images=images, annotations=masks)
    assert not problems
    assert [mask.id for mask in data.images[0].objects] == [2]


def test_a_mask_without_an_id_is_named_by_its_place(tmp_path: Path) -> None:
    plain = {name: value for name, value in _MASK.items() if name != "id"}
    data, problems = _read(tmp_path, annotations=[plain, plain])
    assert not problems
    assert [mask.id for mask in data.images[0].objects] == ["annotation [0]", "annotation [1]"]


@pytest.mark.parametrize(
    "changes",
    [
        {"height": 0},
        {"height": True},
        {"height": "20"},
        {"height": 20.5},
        {"height": float("nan")},
        {"height": float("inf")},
        {"height": 10**9},
        {"height": 10**400},
        {"width": None},
        {"file_name": ""},
        {"file_name": "../../secret.png"},
        {"file_name": "/etc/passwd"},
        {"file_name": "a\0b"},
        {"file_name": "a\ud800.png"},
        {"file_name": ["a.png"]},
        {"id": 1.5},
        {"id": [1]},
        {"id": True},
    ],
)
def test_an_image_that_cannot_be_is_named_with_its_masks(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    good = {**_IMAGE, "id": 2, "width": 30.0}
    masks = [_MASK, {**_MASK, "id": 2, "image_id": 2}]
    data, problems = _read(tmp_path, images=[{**_IMAGE, **changes}, good], annotations=masks)
    assert [(image.id, image.width) for image in data.images] == [(2, 30)]
    assert len(data.images[0].objects) == 1
    assert len(problems) == 2


def test_categories_that_say_nothing_clear_are_named(tmp_path: Path) -> None:
    table = [_CAT, {"id": 7, "name": "dog"}, {"id": 8}, {"id": [], "name": "x"}, 3]
    data, problems = _read(tmp_path, categories=table)
    assert data.categories == {7: "cat"}
    assert len(problems) == 4
    assert "category [1]: id 7 is 'cat' already" in problems[0]


def test_lvis_names_its_images_by_address_in_the_folder_of_their_split(tmp_path: Path) -> None:
    (tmp_path / "train2017").mkdir()
    image = {"id": 1, "height": 20, "width": 30, "coco_url": "http://x/train2017/7.jpg"}
    outside = {**image, "id": 2, "coco_url": "http://x/../7.jpg"}
    data, problems = _read(tmp_path, images=[image, outside])
    assert not problems
    assert [x.path.relative_to(tmp_path).as_posix() for x in data.images] == [
        "train2017/7.jpg",
        "images/7.jpg",
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"images": 3, "annotations": []}',
        b'{"images": [], "annotations": {}}',
        b'{"images": [], "annotations": [], "categories": "x"}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"9" * 5000,
    ],
)
def test_what_is_no_coco_at_all_is_refused_by_the_files_name(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "annotations.json").write_bytes(content)
    with pytest.raises(DataError, match=r"annotations\.json: "):
        read_coco(tmp_path, on_problem=lambda problem: None)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
_CHANGED = st.dictionaries(
    st.sampled_from([*_MASK, *_IMAGE, "ignore", "coco_url", "area", "score"]), _JSON, max_size=3
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    images=st.lists(_CHANGED.map(lambda changes: {**_IMAGE, **changes}) | _JSON, max_size=3),
    masks=st.lists(_CHANGED.map(lambda changes: {**_MASK, **changes}) | _JSON, max_size=4),
    categories=st.lists(_JSON | st.just(_CAT), max_size=3) | st.none(),
)
def test_every_row_is_read_or_told_whatever_it_holds(
    tmp_path: Path, images: list[Any], masks: list[Any], categories: list[Any] | None
) -> None:
    data, problems = _read(tmp_path, images=images, annotations=masks, categories=categories)
    n_read = sum(len(image.annotations) for image in data.images)
    told = [problem.split("annotations.json: ")[1] for problem in problems]
    n_told = sum("annotation" in problem for problem in told)
    n_more = sum(int(n) for n in re.findall(r" and (\d+) more: ", "\n".join(told)))
    assert n_read + n_told + n_more == len(masks)
    for image in data.images:
        for mask in image.annotations:
            assert image.mask(mask).shape == (image.height, image.width)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 2**20 - 1), st.booleans()), max_size=6
    )
)
def test_what_is_written_is_read_by_cocos_tools_and_comes_back(
    tmp_path: Path, drawn: list[tuple[int, int, bool]]
) -> None:
    images = [
        {"id": number, "file_name": f"{number}.png", "height": 4, "width": 5} for number in range(3)
    ]
    bits = [np.array(list(f"{mask:020b}")).reshape(4, 5) == "1" for _, mask, _ in drawn]
    rows = [
        {
            "id": number,
            "image_id": image,
            "category_id": 1,
            "iscrowd": int(is_crowd),
            "segmentation": encode_mask(mask),
        }
        for number, ((image, _, is_crowd), mask) in enumerate(zip(drawn, bits, strict=True))
    ]
    path, categories = tmp_path / "out.json", [{"id": 1, "name": "cat"}]
    write_coco(path, images=images, annotations=iter(rows), categories=categories, about="a test")
    content = json.loads(path.read_text())
    assert (content["images"], content["annotations"]) == (images, rows)
    assert content["info"]["description"] == "a test"
    by_id = {mask.id: mask for image in read_coco(path).images for mask in image.annotations}
    for row, mask in zip(rows, bits, strict=True):
        np.testing.assert_array_equal(coco_mask.decode(row["segmentation"]), mask)
        assert by_id[row["id"]].entry == row
        assert by_id[row["id"]].is_crowd == bool(row["iscrowd"])


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    write_coco(path, images=[_IMAGE], annotations=[_MASK])
    with pytest.raises(TypeError):
        write_coco(path, images=[], annotations=[{"id": object()}])
    assert len(read_coco(path).images) == 1
    assert [x.name for x in tmp_path.iterdir()] == ["annotations.json"]
