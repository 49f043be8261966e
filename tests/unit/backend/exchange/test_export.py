import io
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchvision.datasets import CocoDetection

from backend.exchange.annotation_choice import ChoiceRules
from backend.exchange.entries import ExportOptions
from backend.exchange.export import export_coco
from backend.exchange.tasks import TaskSource, labeled_task
from backend.label_studio.label_config import TaskConfigs
from mfp_model.names import EXPORT_FORMS
from tests.unit.backend.exchange.labeled import (
    COLUMNS,
    RING,
    ROWS,
    TWO_PARTS,
    Files,
    export,
    png,
    row,
    shape_row,
    soft_row,
    task,
)


def test_a_ring_and_an_object_in_two_parts_stay_one_annotation_each_bit_by_bit(
    tmp_path: Path,
) -> None:
    content, summary = export(tmp_path, [task(1, [row(RING), row(TWO_PARTS, "Dog", id="r2")])])
    ring, parts = content["annotations"]
    assert (coco_mask.decode(ring["segmentation"]) == RING).all()
    assert (coco_mask.decode(parts["segmentation"]) == TWO_PARTS).all()
    assert (ring["area"], ring["bbox"]) == (int(RING.sum()), [9.0, 4.0, 23.0, 23.0])
    assert (ring["category_id"], parts["category_id"], ring["iscrowd"]) == (1, 2, 0)
    assert summary.problems == 0
    assert summary.categories == ("Cat", "Dog", "Tree")


def test_what_the_eraser_leaves_half_transparent_is_thresholded(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    alpha = generator.integers(0, 256, (30, 40)).astype(np.uint8)
    content, _ = export(tmp_path, [task(1, [soft_row(alpha)])])
    (annotation,) = content["annotations"]
    assert (coco_mask.decode(annotation["segmentation"]) == (alpha >= 128)).all()


def test_it_loads_in_pycocotools_and_torchvision(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, _ = export(tmp_path, [task(1, [row(RING)]), task(2, [row(TWO_PARTS, "Dog")])])
    path = tmp_path / "coco" / "annotations.json"
    coco = COCO(path)
    detections = [{**annotation, "score": 0.9} for annotation in content["annotations"]]
    judged = COCOeval(coco, coco.loadRes(detections), "segm")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    capsys.readouterr()
    assert judged.stats[0] == pytest.approx(1)
    image, targets = CocoDetection(str(tmp_path / "coco" / "images"), str(path))[0]
    assert image.size == (40, 30)
    assert coco.annToMask(targets[0]).sum() == RING.sum()


def test_polygons_keep_holes_and_tell_how_far_they_are_off(tmp_path: Path) -> None:
    tasks = [task(1, [row(RING)])]
    content, summary = export(tmp_path, tasks, options=ExportOptions(polygon_error_px=0.25))
    (annotation,) = content["annotations"]
    encoded = coco_mask.merge(coco_mask.frPyObjects(annotation["segmentation"], 30, 40))
    assert (coco_mask.decode(encoded) == RING).all()
    assert annotation["polygon_iou"] == 1
    assert summary.polygon_iou == {"least": 1.0, "mean": 1.0}


def test_polygons_of_drawn_shapes_fill_the_pixels_of_their_rle(tmp_path: Path) -> None:
    place = {"x": 30, "y": 30, "width": 25, "height": 20}
    shapes = [
        {**shape_row("rectangle", "Dog", (96, 64), **place, rotation=turn), "id": f"r{turn}"}
        for turn in range(0, 90, 3)
    ]
    exported = []
    for name, error_px in (("rle", None), ("polygons", 0.25)):
        (tmp_path / name).mkdir()
        options = ExportOptions(polygon_error_px=error_px)
        files = Files({"/data/upload/1/1.png": png(96, 64)})
        exported.append(export(tmp_path / name, [task(1, shapes)], options=options, files=files))
    (rle, _), (polygons, summary) = exported
    assert summary.polygon_iou == {"least": 1.0, "mean": 1.0}
    for exact, polygon in zip(rle["annotations"], polygons["annotations"], strict=True):
        filled = coco_mask.merge(coco_mask.frPyObjects(polygon["segmentation"], 64, 96))
        assert (coco_mask.decode(filled) == coco_mask.decode(exact["segmentation"])).all()


def test_crowds_stay_rle_among_polygons_as_coco_wants_them(tmp_path: Path) -> None:
    mask = np.zeros((30, 40), dtype=np.bool_)
    mask[3:9, 4:20] = True
    corners = [[25, 20], [75, 40], [75, 80]]
    drawn = shape_row("polygon", "Tree", (40, 30), points=corners)
    rows = [row(mask), row(mask, id="r2", meta={"text": ["crowd"]}), drawn]
    content, _ = export(tmp_path, [task(1, rows)], options=ExportOptions(polygon_error_px=0.25))
    single, crowd, polygon = content["annotations"]
    assert polygon["segmentation"] == [[10, 6, 30, 12, 30, 24]]
    assert (single["iscrowd"], type(single["segmentation"])) == (0, list)
    assert (crowd["iscrowd"], type(crowd["segmentation"])) == (1, dict)
    coco = COCO(tmp_path / "coco" / "annotations.json")
    np.testing.assert_array_equal(coco.annToMask(crowd), mask)


def test_shapes_of_other_controls_are_exported_too(tmp_path: Path) -> None:
    size = (40, 30)
    rows = [
        shape_row("polygon", "Tree", size, points=[[25, 20], [75, 20], [75, 80], [25, 80]]),
        shape_row("rectangle", "Dog", size, x=25, y=20, width=50, height=60, rotation=0),
        {
            **shape_row("ellipse", "Dog", size, x=50, y=50, radiusX=25, radiusY=30, rotation=90),
        },
    ]
    content, summary = export(tmp_path, [task(1, rows)])
    assert summary.messages == []
    polygon, rectangle, ellipse = content["annotations"]
    square = np.zeros((30, 40), bool)
    square[6:24, 10:30] = True
    assert (coco_mask.decode(polygon["segmentation"]) == square).all()
    assert (coco_mask.decode(rectangle["segmentation"]) == square).all()
    assert polygon["category_id"] == 3
    mask = coco_mask.decode(ellipse["segmentation"]).astype(bool)
    exact = ((COLUMNS + 0.5 - 20) / 9) ** 2 + ((ROWS + 0.5 - 15) / 10) ** 2 < 1
    assert (mask ^ exact).sum() < 0.04 * exact.sum()


def test_a_turned_rectangle_turns_clockwise_around_its_first_corner(tmp_path: Path) -> None:
    turned = shape_row("rectangle", "Dog", (40, 30), x=75, y=20, width=25, height=50, rotation=90)
    content, _ = export(tmp_path, [task(1, [turned])])
    expected = np.zeros((30, 40), bool)
    expected[6:16, 15:30] = True
    assert (coco_mask.decode(content["annotations"][0]["segmentation"]) == expected).all()


def test_a_mask_drawn_while_the_page_showed_the_image_turned_lies_where_it_was_drawn(
    tmp_path: Path,
) -> None:
    drawn = {**row(RING), "image_rotation": 90}
    content, summary = export(tmp_path, [task(1, [drawn])])
    (annotation,) = content["annotations"]
    assert (coco_mask.decode(annotation["segmentation"]) == RING).all()
    assert summary.problems == 0


def test_points_and_the_pages_copies_of_masks_are_no_objects(tmp_path: Path) -> None:
    copy = {**row(RING, id="r2"), "type": "keypointlabels", "from_name": "click"}
    point = {**row(RING, id="r3"), "type": "keypointlabels", "value": {"x": 1, "y": 2, "width": 1}}
    choice = {"id": "r4", "type": "choices", "value": {"choices": ["good"]}}
    content, summary = export(tmp_path, [task(1, [row(RING), copy, point, choice])])
    assert len(content["annotations"]) == 1
    assert summary.left_out == {"choices rows": 1, "keypointlabels rows": 2}
    assert summary.problems == 0


def test_the_two_rows_of_a_generic_label_make_one_object(tmp_path: Path) -> None:
    config = TaskConfigs(
        """<View><Image name="image" value="$image"/><Labels name="label" toName="image">
        <Label value="Cat" alias="c"/></Labels><Brush name="mask" toName="image"/></View>"""
    )
    shape, label = row(RING), row(RING)
    shape.update(type="brush", value={"format": "rle", "rle": shape["value"]["rle"]})
    label.update(type="labels", from_name="label", value={**shape["value"], "labels": ["c"]})
    content, summary = export(tmp_path, [task(1, [shape, label])], config=config)
    assert [annotation["category_id"] for annotation in content["annotations"]] == [1]
    assert summary.categories == ("Cat",)


def test_programs_that_count_in_doubles_tell_the_images_of_tasks_apart(tmp_path: Path) -> None:
    """As JavaScript and jq do, to which 10^16 + 7 and 10^16 + 8 are one number."""
    config = TaskConfigs(
        """<View><Image name="a" value="$left"/><Image name="b" valueList="$right"/>
        <BrushLabels name="m" toName="a"><Label value="Cat"/></BrushLabels></View>"""
    )
    first, second = "/data/upload/1/1.png", "/data/upload/1/2.png"
    tasks = [
        {
            **task(number, [row(RING, to_name="a")]),
            "data": {"left": first, "right": [second, first]},
        }
        for number in (7, 8)
    ]
    content, _ = export(tmp_path, tasks, config=config)
    numbers = [image["id"] for image in content["images"]]
    assert numbers == [7, 10**12 + 7, 3 * 10**12 + 7, 8, 10**12 + 8, 3 * 10**12 + 8]
    assert [int(float(number)) for number in numbers] == numbers


def test_halves_of_letters_end_no_export(tmp_path: Path) -> None:
    half = "\ud83d"
    tasks = [labeled_task(task(1, [row(RING, half), row(RING & False, id=half)]))]
    source = TaskSource(name="x", total=1, unit="task", read=lambda report: iter(tasks))
    files = Files({"/data/upload/1/1.png": png(40, 30)})
    for form in EXPORT_FORMS:
        options = ExportOptions(form=form)
        summary = export_coco(source, tmp_path / form, config=None, sources=files, options=options)
        assert summary.categories == ("\\ud83d",)
        (message,) = summary.messages
        assert "region \\ud83d: brush without a pixel" in message


@pytest.mark.parametrize("turn", range(2, 9))
def test_a_photo_turned_by_exif_is_written_upright(tmp_path: Path, turn: int) -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.new("RGB", (30, 40) if turn > 4 else (40, 30), "red").save(buffer, "JPEG", exif=exif)
    files = Files({"/data/upload/1/1.png": buffer.getvalue()})
    content, summary = export(tmp_path, [task(1, [row(RING)])], files=files)
    assert summary.messages == []
    (image,) = content["images"]
    with Image.open(tmp_path / "coco" / "images" / image["file_name"]) as written:
        assert written.size == (40, 30) == (image["width"], image["height"])
        assert written.getexif().get(0x0112) is None


def test_other_images_are_copied_byte_by_byte_or_linked_or_only_named(tmp_path: Path) -> None:
    content = png(40, 30)
    (tmp_path / "1.png").write_bytes(content)
    files = Files({"/data/upload/1/1.png": content}, tmp_path)
    tasks = [task(1, [row(RING)])]
    export(tmp_path, tasks, files=files)
    assert (tmp_path / "coco" / "images" / "1-1.png").read_bytes() == content
    export(tmp_path, tasks, files=files, options=ExportOptions(images="link"))
    assert (tmp_path / "coco" / "images" / "1-1.png").readlink() == tmp_path / "1.png"
    files.asked.clear()
    coco, _ = export(tmp_path, tasks, files=files, options=ExportOptions(images="none"))
    assert files.asked == []
    assert coco["images"][0]["file_name"] == "1-1.png"
    assert not list((tmp_path / "coco" / "images").iterdir())


def test_linking_needs_a_mounted_folder(tmp_path: Path) -> None:
    _, summary = export(tmp_path, [task(1, [row(RING)])], options=ExportOptions(images="link"))
    assert "MFP_LABEL_STUDIO_DATA_DIR" in summary.messages[0]


def test_category_numbers_do_not_depend_on_what_was_labelled(tmp_path: Path) -> None:
    content, _ = export(tmp_path, [task(1, [row(RING, "Dog")])])
    assert content["annotations"][0]["category_id"] == 2
    assert [category["name"] for category in content["categories"]] == ["Cat", "Dog", "Tree"]
    data = {"note": "a dog", "image": "/data/upload/1/1.png"}
    content, _ = export(tmp_path, [task(1, [row(RING, "Dog")], data=data)], config=None)
    assert [category["name"] for category in content["categories"]] == ["Dog"]
    assert content["images"][0]["file_name"] == "1-1.png"


def test_json_min_gives_the_same_masks(tmp_path: Path) -> None:
    first, second = row(RING), row(TWO_PARTS, "Dog")
    entries = [
        {
            "id": 1,
            "image": "/data/upload/1/1.png",
            "annotation_id": 10 + index,
            "annotator": 1,
            "updated_at": f"2026-01-0{index + 1}",
            "mask": [{**region["value"], "original_width": 40, "original_height": 30}],
            "click": [{"x": 1, "y": 1, "keypointlabels": ["Point"], "original_width": 40}],
        }
        for index, region in enumerate((first, second))
    ]
    unlabelled = {"id": 2, "image": "/data/upload/1/2.png", "annotation_id": None}
    rules = ChoiceRules(annotators="all")
    content, summary = export(tmp_path, [*entries, unlabelled], options=ExportOptions(rules=rules))
    masks = [coco_mask.decode(annotation["segmentation"]) for annotation in content["annotations"]]
    assert (masks[0] == RING).all()
    assert (masks[1] == TWO_PARTS).all()
    assert summary.left_out == {"keypointlabels rows": 2, "tasks without annotation": 1}


def test_what_an_older_version_was_cut_in_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / ".coco.partial").mkdir()
    spool = sqlite3.connect(tmp_path / ".coco.partial" / "spool.sqlite3")
    spool.executescript(  # of version 0.1.0
        """CREATE TABLE origin (key TEXT); CREATE TABLE tasks (id INTEGER PRIMARY KEY);
        CREATE TABLE images (id INTEGER PRIMARY KEY, json TEXT);
        CREATE TABLE annotations (id INTEGER PRIMARY KEY, label TEXT, json TEXT);"""
    )
    spool.close()
    content, _ = export(tmp_path, [task(1, [row(RING)])])
    assert len(content["annotations"]) == 1
    names = {path.name for path in (tmp_path / "coco").iterdir()}
    assert names == {"annotations.json", "export.json", "images"}
