"""The boxes of a COCO folder -> the same folder with masks; what was cut goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backend.finding.project_boxes import BoxSummary
from backend.finding.storing import Report
from backend.images.decoding import decode_image
from backend.storage.whole_folder import WholeFolder
from mfp_model.data.coco_data import CocoAnnotation, CocoData, CocoImage
from mfp_model.data.coco_layout import ANNOTATIONS, IMAGES
from mfp_model.data.coco_writing import write_coco
from mfp_model.data.orientation import turned_back
from mfp_model.data.pictures import check_image
from mfp_model.errors import DataError, ImageError, PromptError
from mfp_model.files import write_atomically
from mfp_model.masks.bounds import bounds_of
from mfp_model.masks.rle import encode_mask

if TYPE_CHECKING:
    from backend.finding.project_boxes import MaskInBox

_MARK = "masks.json"
_MADE = "made"  # what each image came to, until the folder is whole


def mask_folder(
    mask_in_box: MaskInBox,
    data: CocoData,
    out: Path,
    *,
    version: str,
    max_megapixels: float,
    report: Report,
) -> BoxSummary:
    """Write a COCO folder whose boxes have masks; all else in its rows stays.

    An annotation gets `segmentation`, `area` and the mask's own `bbox`. `given_bbox` is the box
    that it had, `box_iou` the IoU of both. The images are copied byte by byte.

    Args:
        mask_in_box: Gives the mask of what lies in a box.
        data: What was read of the folder, its boxes checked.
        out: The folder; an earlier one of this command is replaced.
        version: Of the weights.
        max_megapixels: Larger images are problems.
        report: Called after every image.

    Raises:
        ConfigError: The folder has something else in it, or somebody else writes it.
    """
    summary = BoxSummary()
    with _whole(out).building() as folder:
        (folder / _MADE).mkdir(exist_ok=True)
        shutil.rmtree(folder / IMAGES, ignore_errors=True)  # of a run that was cut
        (folder / IMAGES).mkdir()
        paths: list[Path] = []
        for image in data.images:
            path = folder / _MADE / f"{_digest(image, version)}.json"
            if _is_made(path):
                summary.skipped += 1
            else:
                made = _made(mask_in_box, data, image, max_megapixels)
                write_atomically(path, json.dumps(made).encode())
            _count(json.loads(path.read_text()), summary)
            _copy(image, folder / IMAGES)
            paths.append(path)
            report()
        _write(folder / ANNOTATIONS, data, paths, version)
        shutil.rmtree(folder / _MADE)
        write_atomically(folder / _MARK, json.dumps(summary.figures()).encode())
    return summary


def check_out(out: Path) -> None:
    """Refuse a folder that `mask_folder` would not replace.

    Raises:
        ConfigError: It has something else in it, or cannot be written.
    """
    _whole(out).check()


def _whole(out: Path) -> WholeFolder:
    return WholeFolder(out, mark=_MARK, parts=(IMAGES, ANNOTATIONS))


def _count(made: Mapping[str, Any], summary: BoxSummary) -> None:
    summary.problems += made["problems"]
    summary.without_boxes += not made["annotations"] and not made["problems"]
    summary.images += bool(made["annotations"])
    for row in made["annotations"]:
        summary.add(row["box_iou"])


def _is_made(path: Path) -> bool:
    """Whether an image was done before, without a problem."""
    return path.exists() and not json.loads(path.read_text())["problems"]


def _copy(image: CocoImage, images: Path) -> None:
    if _is_readable(image.path):
        target = images / image.file_name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image.path, target)


def _write(path: Path, data: CocoData, made: Sequence[Path], version: str) -> None:
    """Write what each image came to."""
    write_coco(
        path,
        images=(image.entry for image in data.images),
        annotations=(row for each in made for row in json.loads(each.read_text())["annotations"]),
        categories=[{"id": number, "name": name} for number, name in data.categories.items()],
        about=version,
    )


def _is_readable(path: Path) -> bool:
    return os.path.isfile(path) and os.access(path, os.R_OK)


def _digest(image: CocoImage, version: str) -> str:
    """Tells an image with its boxes from any other, and from what it was before."""
    state = image.path.stat() if _is_readable(image.path) else None
    file = [state.st_size, state.st_mtime_ns] if state else []
    rows = [annotation.entry for annotation in image.annotations]
    content = json.dumps([version, image.entry, file, rows], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _made(
    mask_in_box: MaskInBox, data: CocoData, image: CocoImage, max_megapixels: float
) -> dict[str, Any]:
    """An image's annotations with masks, and what could not be used."""
    made: dict[str, Any] = {"annotations": [], "problems": []}
    if not image.annotations:
        return made
    try:
        pixels = _pixels(image, max_megapixels)
    except (ImageError, DataError) as error:
        made["problems"].append(f"{data.where(image)}: {error}")
        return made
    for annotation in image.annotations:
        try:
            made["annotations"].append(_annotation(mask_in_box, pixels, annotation))
        except (DataError, PromptError) as error:
            made["problems"].append(f"{data.where(image, annotation)}: {error}")
    return made


def _pixels(image: CocoImage, max_megapixels: float) -> NDArray[np.uint8]:
    """The image as the boxes were drawn on it: COCO's tools mean a file's pixels as they lie."""
    turn = image.turn(check_image(image.path))
    shown = decode_image(image.path.read_bytes(), max_megapixels=max_megapixels)
    return np.ascontiguousarray(turned_back(shown, turn))


def _annotation(
    mask_in_box: MaskInBox, pixels: NDArray[np.uint8], annotation: CocoAnnotation
) -> dict[str, Any]:
    if annotation.is_crowd:
        raise DataError("a crowd's box, which is of no one object")
    left, top, width, height = annotation.entry["bbox"]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (width, height) + (left, top)
    boxed = mask_in_box(pixels, corners.astype(np.float64))
    bounds = bounds_of(boxed.mask)
    if bounds is None:
        raise DataError("the mask is empty")
    return {
        **annotation.entry,
        "id": annotation.id,
        "segmentation": encode_mask(boxed.mask),
        "area": int(boxed.mask.sum()),
        "bbox": [bounds.left, bounds.top, bounds.width, bounds.height],
        "given_bbox": [left, top, width, height],
        "box_iou": round(boxed.box_iou, 4),
    }
