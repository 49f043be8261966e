"""Where the masks of a COCO folder are put, and which images are taken."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.exchange.image_addresses import original, prefixed
from backend.exchange.importing import CocoImport
from backend.exchange.pages import pages_of, put
from backend.label_studio.label_config import TaskConfigs
from mfp_model.data.coco import read_coco
from mfp_model.data.orientation import turned
from mfp_model.errors import DataError
from tests.unit.backend.exchange.folders import (
    MASK,
    FakeLabelStudio,
    coco_folder,
    masks_by_place,
    turned_photo,
)
from tests.unit.backend.exchange.labeled import CONFIG, Files, export, png, row, task


def test_another_folder_with_the_same_names_is_imported_too_and_the_same_one_is_not(
    tmp_path: Path,
) -> None:
    api = FakeLabelStudio()
    left_out = []
    for root, mask in (("one", MASK), ("two", ~MASK), ("three", MASK)):
        data = read_coco(coco_folder(tmp_path / root, mask))
        importer = CocoImport(data, CONFIG, form="annotations")
        left_out.append(importer.into_project(api, 1).known)  # type: ignore[arg-type]
    assert left_out == [0, 0, 1]
    assert len(api.tasks) == 2


def test_a_task_that_is_refused_does_not_end_the_others(tmp_path: Path) -> None:
    api = FakeLabelStudio(refused="b.png")
    data = read_coco(coco_folder(tmp_path / "one", MASK, ("a.png", "b.png", "c.png")))
    summary = CocoImport(data, CONFIG, form="annotations").into_project(api, 1)  # type: ignore[arg-type]
    assert (summary.tasks, len(api.tasks)) == (2, 2)
    assert summary.problems == ["b.png: Label Studio refuses it"]


@pytest.mark.parametrize(
    ("prefix", "name", "address"),
    [
        ("https://host/x/", "a+b.png", "https://host/x/a%2Bb.png"),
        ("https://host/x/", "a#b 1.png", "https://host/x/a%23b%201.png"),
        ("/data/local-files/?d=x/", "a+b&c.png", "/data/local-files/?d=x/a%2Bb%26c.png"),
        ("https://host/", "deep/ä?.png", "https://host/deep/%C3%A4%3F.png"),
        ("s3://bucket/", "a+b#c.png", "s3://bucket/a+b#c.png"),
    ],
)
def test_a_prefix_and_a_name_make_an_address_of_that_photo(
    tmp_path: Path, prefix: str, name: str, address: str
) -> None:
    (image,) = read_coco(coco_folder(tmp_path, MASK, (name.rpartition("/")[2],))).images
    assert prefixed(prefix)(image).endswith(address.rpartition("/")[2])
    if "/" not in name:
        assert prefixed(prefix)(image) == address


def test_a_shortened_address_is_no_address(tmp_path: Path) -> None:
    tasks = [{**task(1, [row(MASK)]), "data": {"image": "https://host/a.png?signature=secret"}}]
    export(tmp_path, tasks, files=Files({"https://host/a.png?signature=secret": png(40, 30)}))
    (image,) = read_coco(tmp_path / "coco").images
    with pytest.raises(DataError, match="exported without what is secret"):
        original(image)


def test_pages_are_found_where_they_are_put() -> None:
    for key in ("image", "meta.url", "images[1]", "a.b[2].c", "0", "0.url"):
        for index in (None, 0, 3):
            data: dict[str, Any] = {}
            put(data, key, index, "x.png")
            (page,) = pages_of(data, [key])
            assert (page.key, page.index, page.address) == (key, index, "x.png")
    pages = list(pages_of({"i": ["a", "", "b"], "j": "c"}, ["i", "j", "k"]))
    assert [(page.index, page.address) for page in pages] == [(0, "a"), (2, "b"), (None, "c")]
    assert len({page.image_id(task) for page in pages for task in range(50)}) == 150


@pytest.mark.parametrize("index", ["10000", "999999999", "9" * 5000])
def test_an_index_that_no_task_has_is_refused(index: str) -> None:
    with pytest.raises(DataError, match="expected indices below 10000"):
        put({}, f"images[{index}]", None, "a.jpg")


def test_the_pages_of_a_list_never_mix_their_masks(tmp_path: Path) -> None:
    config = TaskConfigs(
        """<View><Image name="image" valueList="$images"/>
        <BrushLabels name="mask" toName="image"><Label value="Cat"/></BrushLabels></View>"""
    )
    rows = [row(MASK, item_index=0), row(~MASK, id="r2", item_index=1)]
    rows += [row(MASK, id="r3", item_index=7)]
    tasks = [{**task(1, rows), "data": {"images": ["x", "y"]}}]
    files = Files({"x": png(40, 30), "y": png(40, 30)})
    content, summary = export(tmp_path, tasks, config=config, files=files)
    assert len(content["images"]) == 2
    assert summary.messages == [
        "task 1: annotation 10: region r3: to_name='image' [7]: the task has no such image"
    ]
    masks = masks_by_place(tmp_path / "coco")
    assert (masks[1, "images", 0, "Cat", 0][0] == MASK).all()
    assert (masks[1, "images", 1, "Cat", 0][0] == ~MASK).all()
    importer = CocoImport(read_coco(tmp_path / "coco"), config, form="annotations")
    importer.into_file(tmp_path / "back.json", original)
    (made,) = json.loads((tmp_path / "back.json").read_text())
    assert made["data"]["images"] == ["x", "y"]
    assert [part["item_index"] for part in made["annotations"][0]["result"]] == [0, 1]


@pytest.mark.parametrize("turn", range(1, 9))
def test_masks_on_a_photo_that_lies_turned_in_its_file_are_imported_where_the_page_shows_it(
    tmp_path: Path, turn: int
) -> None:
    root = coco_folder(tmp_path / "in", MASK)
    photo = turned_photo(MASK, turn)
    (root / "images" / "a.png").write_bytes(photo)
    importer = CocoImport(read_coco(root), CONFIG, form="annotations")
    summary = importer.into_file(tmp_path / "tasks.json", prefixed("/data/x/"))
    assert (summary.problems, summary.unchecked) == ([], 0)
    (made,) = json.loads((tmp_path / "tasks.json").read_text())
    content, _ = export(tmp_path, [{**made, "id": 1}], files=Files({made["data"]["image"]: photo}))
    ((mask,),) = masks_by_place(tmp_path / "coco").values()
    with Image.open(tmp_path / "coco" / "images" / content["images"][0]["file_name"]) as shown:
        assert (np.asarray(shown.convert("L")) > 127).tolist() == mask.tolist()
    assert (mask == turned(MASK, turn)).all()


def test_a_file_of_another_size_or_no_picture_is_not_imported_and_a_missing_one_is_counted(
    tmp_path: Path,
) -> None:
    root = coco_folder(tmp_path / "in", MASK, ("a.png", "b.png", "c.png", "d.png"))
    (root / "images" / "a.png").write_bytes(png(41, 30))
    (root / "images" / "b.png").write_text("<html>")
    (root / "images" / "c.png").unlink()
    importer = CocoImport(read_coco(root), CONFIG, form="predictions")
    summary = importer.into_file(tmp_path / "tasks.json", prefixed("x/"))
    assert (summary.tasks, summary.unchecked) == (2, 1)
    assert summary.problems[0] == "a.png: masks of 40x30 pixels, the image file has 41x30"
    assert "6 bytes that are a web page" in summary.problems[1]
