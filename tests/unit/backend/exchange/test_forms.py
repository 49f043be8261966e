"""What other tools read: YOLO's segments and pictures of masks, by small readers of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from backend.exchange import mask_pictures
from backend.exchange.entries import ExportOptions
from backend.exchange.export import ExportSummary, export_coco
from backend.exchange.mask_pictures import palette
from backend.exchange.tasks import file_tasks
from backend.label_studio.label_config import TaskConfigs
from mfp_model.evaluation.truths import read_numbered
from mfp_model.masks.bounds import mask_iou
from mfp_model.masks.polygons import joined, n_holes, polygons_of
from tests.unit.backend.exchange.labeled import CONFIG, Files, png, row, task, write_tasks

_SIZE = (60, 80)


def _disk(x: float, y: float, radius: float) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[: _SIZE[0], : _SIZE[1]]
    return np.asarray((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 < radius**2)


RING = _disk(30, 30, 20) & ~_disk(30, 30, 9)
TWO = _disk(20, 20, 8) | _disk(60, 40, 10)
PLAIN = _disk(40, 30, 12)


def _run(
    folder: Path,
    tasks: list[Any],
    told: list[tuple[int, int]] | None = None,
    **options: Any,  # noqa: ANN401
) -> ExportSummary:
    folder.mkdir(exist_ok=True)
    images = {f"/data/upload/1/{n}.png": png(_SIZE[1], _SIZE[0]) for n in range(100)}
    return export_coco(
        file_tasks(write_tasks(folder / "tasks.json", tasks)),
        folder / "out",
        config=CONFIG,
        sources=Files(images),
        options=ExportOptions(**options),
        report_written=lambda *done: None if told is None else told.append(done),
    )


def _export(tmp_path: Path, n_tasks: int = 12, **options: Any) -> tuple[Path, ExportSummary]:  # noqa: ANN401
    tasks = [
        task(number, [row(RING, "Cat", id="a"), row(TWO, "Dog", id="b")])
        for number in range(1, n_tasks + 1)
    ]
    return tmp_path / "out", _run(tmp_path, tasks, **options)


def _yolo_masks(text: str) -> list[tuple[int, NDArray[np.bool_]]]:
    """Reads as ultralytics does: one outline a line, filled by the even-odd rule."""
    masks = []
    for line in text.splitlines():
        kind, *numbers = line.split()
        outline = np.array(numbers, dtype=float).reshape(-1, 2) * (_SIZE[1], _SIZE[0])
        canvas = np.zeros(_SIZE, np.uint8)
        cv2.fillPoly(canvas, [np.round(outline - 0.5).astype(np.int32)], 1)
        masks.append((int(kind), canvas > 0))
    return masks


def test_yolos_outlines_are_the_masks_with_holes_and_parts(tmp_path: Path) -> None:
    out, summary = _export(tmp_path, form="yolo-seg", outline_error_px=0.0)
    (text, *others) = [path.read_text() for path in sorted((out / "labels").glob("*/*.txt"))]
    assert set(others) == {text}
    (cat, ring), (dog, two) = _yolo_masks(text)
    assert (cat, dog) == (0, 1)
    assert mask_iou(ring, RING) > 0.9  # its outline's own pixels are filled, too
    assert not ring[30, 30]
    assert mask_iou(two, TWO) > 0.8  # and so is the cut between the parts
    assert summary.remarks["objects with holes"] == 12
    assert summary.remarks["objects of several parts"] == 12
    assert summary.remarks["outline iou least"] > 0.98


@pytest.mark.parametrize("is_rounded", [False, True], ids=["cut off", "rounded"])
def test_tools_that_round_corners_or_cut_fractions_off_read_the_very_same_masks(
    tmp_path: Path, is_rounded: bool
) -> None:
    pixel, full = np.zeros(_SIZE, np.bool_), np.ones(_SIZE, np.bool_)
    pixel[-1, -1] = True
    masks = [RING, PLAIN, pixel, full, np.roll(PLAIN, 35, axis=1)]  # the last one in two parts
    rows = [row(mask, "Cat", id=f"r{number}") for number, mask in enumerate(masks)]
    crowd = row(PLAIN, "Cat", id="crowd", meta={"text": ["crowd"]})
    summary = _run(tmp_path, [task(1, [*rows, crowd])], form="yolo-seg", outline_error_px=0.0)
    (text,) = [path.read_text() for path in (tmp_path / "out" / "labels").glob("*/*.txt")]
    read = []
    for line in text.splitlines():
        outline = np.array(line.split()[1:], dtype=np.float32).reshape(-1, 2) * (80, 60)
        corners = np.round(outline) if is_rounded else outline
        canvas = np.zeros(_SIZE, np.uint8)
        cv2.fillPoly(canvas, [corners.astype(np.int32)], 1)
        read.append(canvas > 0)
        assert len(outline) >= 3  # with fewer, YOLO's tools take them for a box
    *exact, parts = read
    for mask, expected in zip(exact, masks, strict=False):
        np.testing.assert_array_equal(mask, expected)
    assert (parts & ~masks[-1]).sum() == summary.remarks["pixels filled by cuts"] > 0
    assert not (masks[-1] & ~parts).any()
    assert summary.remarks["outline iou least"] == 1
    assert summary.remarks["crowds left out"] == 1


def test_each_image_lies_beside_its_labels_and_the_splits_are_named(tmp_path: Path) -> None:
    out, summary = _export(tmp_path, form="yolo-seg")
    for split in ("train", "val"):
        images = {path.stem for path in (out / "images" / split).iterdir()}
        labels = {path.stem for path in (out / "labels" / split).iterdir()}
        assert images == labels
        assert len(images) == summary.remarks[f"images in {split}"] >= 1
    yaml = (out / "data.yaml").read_text().splitlines()
    assert yaml[:2] == ["train: images/train", "val: images/val"]
    assert yaml[2:] == ["names:", '  0: "Cat"', '  1: "Dog"', '  2: "Tree"']


def test_a_task_stays_on_its_side_as_more_come(tmp_path: Path) -> None:
    few, _ = _export(tmp_path / "few", 12, form="yolo-seg", val_share=0.4)
    many, _ = _export(tmp_path / "many", 30, form="yolo-seg", val_share=0.4)

    def held_out(out: Path) -> set[str]:
        return {path.name for path in (out / "images" / "val").iterdir()}

    assert held_out(few) <= held_out(many)
    assert 5 <= len(held_out(many)) <= 20


@pytest.mark.parametrize(("n_tasks", "val_share"), [(1, 0.2), (3, 0.0)])
def test_without_held_out_tasks_validation_is_the_training(
    tmp_path: Path, n_tasks: int, val_share: float
) -> None:
    out, _ = _export(tmp_path, n_tasks, form="yolo-seg", val_share=val_share)
    assert (out / "data.yaml").read_text().splitlines()[1] == "val: images/train"
    assert len(list((out / "images" / "train").iterdir())) == n_tasks


def test_another_form_may_follow_in_the_same_folder(tmp_path: Path) -> None:
    out, _ = _export(tmp_path, 3, form="yolo-seg")
    _export(tmp_path, 3, form="png")
    assert not (out / "labels").exists()
    _export(tmp_path, 3)
    assert len(json.loads((out / "annotations.json").read_text())["annotations"]) == 6


@pytest.mark.parametrize(("form", "n_told"), [("yolo-seg", 4), ("png", 4), ("coco", 0)])
def test_writing_what_was_read_is_told_image_by_image(
    form: str, n_told: int, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    _export(tmp_path, 3, form=form, told=told)
    assert told == [(number, 3) for number in range(n_told)]


def test_pictures_have_classes_and_objects_as_colours(tmp_path: Path) -> None:
    rows = [row(PLAIN, "Dog", id="small"), row(RING, "Cat", id="large")]
    summary = _run(tmp_path, [task(1, rows), task(2, [])], form="png")
    out = tmp_path / "out"
    first, second = sorted((out / "classes").iterdir())
    classes, instances = (Image.open(out / kind / first.name) for kind in ("classes", "instances"))
    assert classes.mode == instances.mode == "P"
    numbers = np.array(classes)
    np.testing.assert_array_equal(numbers == 2, PLAIN)  # the smaller one is in front
    np.testing.assert_array_equal(numbers == 1, RING & ~PLAIN)
    np.testing.assert_array_equal(np.array(instances) == 1, PLAIN)
    assert np.array(classes.convert("RGB"))[30, 40].tolist() == [0, 128, 0]
    assert not np.array(Image.open(second)).any()
    assert (out / "labels.txt").read_text().split() == ["1", "Cat", "2", "Dog", "3", "Tree"]
    assert summary.remarks["covered pixels"] == int((PLAIN & RING).sum())
    assert summary.remarks["objects covered whole"] == 0


def test_more_objects_than_colours_make_a_picture_of_16_bits(tmp_path: Path) -> None:
    masks = np.zeros((300, *_SIZE), np.bool_)
    masks.reshape(300, -1)[np.arange(300), 4 * np.arange(300)] = True
    rows = [row(mask, "Cat", id=f"r{number}") for number, mask in enumerate(masks)]
    summary = _run(tmp_path, [task(1, rows)], form="png")
    (path,) = (tmp_path / "out" / "instances").iterdir()
    objects = read_numbered(path)
    assert [int(truth.mask.sum()) for truth in objects.values()] == [1] * 300
    assert list(objects) == [*range(1, 255), *range(256, 302)]  # 255 does not count
    assert summary.remarks["pictures of 16 bits"] == 1


def test_the_palette_is_that_of_pascal_voc() -> None:
    colours = palette()
    assert colours[:3].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    assert colours[15].tolist() == [192, 128, 128]
    assert colours[255].tolist() == [224, 224, 192]


def test_parts_joined_to_one_outline_fill_to_the_same_mask() -> None:
    outline = joined(polygons_of(TWO, max_error_px=0))
    canvas = np.zeros(_SIZE, np.uint8)
    cv2.fillPoly(canvas, [np.round((outline - 0.5) * 256).astype(np.int32)], 1, shift=8)
    assert mask_iou(canvas > 0, TWO) > 0.85
    assert (n_holes(RING), n_holes(TWO), n_holes(np.zeros(_SIZE, np.bool_))) == (1, 0, 0)


def test_yolos_names_are_the_labels_in_whatever_letters(tmp_path: Path) -> None:
    labels = ("🍎 apple", "Äpfel: #1", '"quoted" \\ it')
    tags = "".join(f"<Label value={quoteattr(label)}/>" for label in labels)
    config = TaskConfigs(
        f"""<View><Image name="image" value="$image"/>
        <BrushLabels name="mask" toName="image">{tags}</BrushLabels></View>"""
    )
    tasks = write_tasks(tmp_path / "tasks.json", [task(1, [row(RING, labels[0])])])
    export_coco(
        file_tasks(tasks),
        tmp_path / "out",
        config=config,
        sources=Files({"/data/upload/1/1.png": png(_SIZE[1], _SIZE[0])}),
        options=ExportOptions(form="yolo-seg"),
    )
    names = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())["names"]
    assert names == dict(enumerate(labels))


def test_what_a_cut_export_had_written_of_deleted_tasks_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [task(number, [row(RING)]) for number in (1, 2)]
    source = file_tasks(write_tasks(tmp_path / "tasks.json", tasks))
    options, out = ExportOptions(form="png"), tmp_path / "out"
    files = Files({f"/data/upload/1/{n}.png": png(_SIZE[1], _SIZE[0]) for n in (1, 2)})

    def full(path: Path, content: bytes) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(mask_pictures, "write_atomically", full)
        with pytest.raises(OSError, match="No space"):
            export_coco(source, out, config=CONFIG, sources=files, options=options)
    write_tasks(tmp_path / "tasks.json", tasks[1:])
    export_coco(source, out, config=CONFIG, sources=files, options=options)
    for kind in ("images", "classes", "instances"):
        assert [path.name for path in (out / kind).iterdir()] == ["2-2.png"]
