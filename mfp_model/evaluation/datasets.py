"""Objects to evaluate on: an image file, the truth, and where an error does not count."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.errors import DataError
from mfp_model.rle import decode_segmentation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvaluationObject:
    """One object to click on.

    Attributes:
        name: For reports.
        image: RGB uint8 `[H, W, 3]`.
        truth: bool `[H, W]`.
        valid: False where an error does not count, bool `[H, W]`.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    valid: NDArray[np.bool_]


def read_grabcut(root: Path) -> Iterator[EvaluationObject]:
    """Yield GrabCut's objects: `data_GT/*`, `boundary_GT/*` with 128 for "do not count"."""
    yield from _pairs(root, images="data_GT", truths="boundary_GT")


def read_davis(root: Path) -> Iterator[EvaluationObject]:
    """Yield objects of frames in `img/*` with truth in `gt/*` (0 and 255)."""
    yield from _pairs(root, images="img", truths="gt")


def read_coco(root: Path) -> Iterator[EvaluationObject]:
    """Yield every object of `annotations.json`, images in `images/`, crowds left out."""
    path = root / "annotations.json"
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected COCO instance annotations")
    content = json.loads(path.read_text())
    images = {image["id"]: image for image in content["images"]}
    for annotation in content["annotations"]:
        if annotation.get("iscrowd"):
            continue
        image = images[annotation["image_id"]]
        truth = decode_segmentation(
            annotation["segmentation"], height=image["height"], width=image["width"]
        )
        yield EvaluationObject(
            name=f"{image['file_name']}#{annotation['id']}",
            image=_read_image(root / "images" / image["file_name"]),
            truth=truth,
            valid=np.ones_like(truth),
        )


READERS: dict[str, Callable[[Path], Iterator[EvaluationObject]]] = {
    "grabcut": read_grabcut,
    "davis": read_davis,
    "coco": read_coco,
}


def _pairs(root: Path, *, images: str, truths: str) -> Iterator[EvaluationObject]:
    for folder in (root / images, root / truths):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder")
    by_stem = {path.stem: path for path in (root / truths).iterdir()}
    paths = sorted(path for path in (root / images).iterdir() if not path.name.startswith("."))
    missing = [path.name for path in paths if path.stem not in by_stem]
    if missing or not paths:
        raise DataError(f"{root / truths}: no truth for {missing[:3] or 'any image'}")
    for path in paths:
        truth = cv2.imread(str(by_stem[path.stem]), cv2.IMREAD_GRAYSCALE)
        if truth is None:
            raise DataError(f"{by_stem[path.stem]}: not a readable image")
        yield EvaluationObject(
            name=path.stem, image=_read_image(path), truth=truth > 128, valid=truth != 128
        )


def _read_image(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise DataError(f"{path}: not a readable image")
    return np.asarray(image, dtype=np.uint8)
