"""Objects to evaluate on: an image, the truth, and where an error does not count."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from mfp_model.data.sbd import read_instances, read_names
from mfp_model.errors import DataError
from mfp_model.masks.rle import decode_segmentation
from mfp_model.prompts import Click

_MIN_REGION_SHARE = 0.005  # of the image; BSDS500's smaller regions are left out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvaluationObject:
    """One object to click on.

    Attributes:
        name: For reports.
        image: RGB uint8 `[H, W, 3]`.
        truth: bool `[H, W]`.
        valid: False where an error does not count, bool `[H, W]`.
        clicks: Real ones that were recorded, oldest first, image frame; see
            `mfp_model.evaluation.recorded`.
        prior: The mask that they began with, bool `[H, W]`, None for nothing.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    clicks: tuple[Click, ...] = ()
    prior: NDArray[np.bool_] | None = None


Reader = Callable[[Path], Iterator[EvaluationObject]]


def read_pairs(root: Path, *, images: str, truths: str) -> Iterator[EvaluationObject]:
    """Yield one object an image: `root/images/x.jpg` with `root/truths/x.png`.

    In the truth, above 128 is object, 128 does not count, and the rest is background.
    """
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
        yield _object(path.stem, _read_image(path), truth > 128, valid=truth != 128)


def read_coco(root: Path) -> Iterator[EvaluationObject]:
    """Yield every object of `annotations.json`, images in `images/`; crowds are left out.

    An annotation may have `clicks`, each `[x, y, sign]` with a sign of 1 or 0, and the `prior`
    mask that they began with, as COCO RLE.
    """
    path = root / "annotations.json"
    try:
        content = json.loads(path.read_text())
        images = {image["id"]: image for image in content["images"]}
        annotations = [a for a in content["annotations"] if not a.get("iscrowd")]
        located = [(images[annotation["image_id"]], annotation) for annotation in annotations]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected COCO instance annotations, got {error!r}") from None
    for image, annotation in located:
        size = {"height": image["height"], "width": image["width"]}
        truth = decode_segmentation(annotation["segmentation"], **size)
        if truth.any():
            name = f"{image['file_name']}#{annotation['id']}"
            found = _object(name, _read_image(root / "images" / image["file_name"]), truth)
            prior = annotation.get("prior")
            yield replace(
                found,
                clicks=_clicks(annotation.get("clicks", []), name),
                prior=None if prior is None else decode_segmentation(prior, **size),
            )


def read_sbd(root: Path) -> Iterator[EvaluationObject]:
    """Yield every instance of SBD's `val.txt`; images in `img/`, instances in `inst/*.mat`."""
    for name in read_names(root, "val"):
        numbers = read_instances(root / "inst" / f"{name}.mat")
        image = _read_image(root / "img" / f"{name}.jpg")
        for number in np.unique(numbers[(numbers > 0) & (numbers < 255)]):
            valid = numbers != 255
            yield _object(f"{name}#{number}", image, numbers == number, valid=valid)


def read_bsds500(root: Path) -> Iterator[EvaluationObject]:
    """Yield regions of `groundTruth/val/*.mat` (or `test`), images in `images/val`.

    Of an image's annotators the one with the fewest regions counts, of the regions those of
    at least half a percent of the image.
    """
    splits = [split for split in ("val", "test") if (root / "groundTruth" / split).is_dir()]
    if not splits:
        raise DataError(f"{root / 'groundTruth' / 'val'}: no such folder")
    for path in sorted((root / "groundTruth" / splits[0]).glob("*.mat")):
        image = _read_image(root / "images" / splits[0] / f"{path.stem}.jpg")
        regions = _coarsest_regions(path)
        numbers, counts = np.unique(regions, return_counts=True)
        for number in numbers[counts >= _MIN_REGION_SHARE * regions.size]:
            yield _object(f"{path.stem}#{number}", image, regions == number)


READERS: dict[str, Reader] = {
    "grabcut": partial(read_pairs, images="data_GT", truths="boundary_GT"),
    "berkeley": partial(read_pairs, images="images", truths="masks"),
    "davis": partial(read_pairs, images="img", truths="gt"),
    "sbd": read_sbd,
    "bsds500": read_bsds500,
    "coco": read_coco,
}


def _clicks(told: object, name: str) -> tuple[Click, ...]:
    try:
        return tuple(Click(x=x, y=y, is_positive=bool(sign)) for x, y, sign in told)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise DataError(f"{name}: clicks={told!r:.60}: expected [x, y, sign] each") from None


def _coarsest_regions(path: Path) -> NDArray[np.uint16]:
    try:
        annotators = [
            np.asarray(entry["Segmentation"][0, 0], dtype=np.uint16)
            for entry in loadmat(path)["groundTruth"][0]
        ]
    except (OSError, KeyError, ValueError, IndexError, TypeError, NotImplementedError) as error:
        raise DataError(f"{path}: expected BSDS500's groundTruth, got {error!r}") from None
    return min(annotators, key=lambda regions: len(np.unique(regions)))


def _object(
    name: str,
    image: NDArray[np.uint8],
    truth: NDArray[np.bool_],
    *,
    valid: NDArray[np.bool_] | None = None,
) -> EvaluationObject:
    if image.shape[:2] != truth.shape:
        raise DataError(f"{name}: truth {truth.shape}, expected the image's {image.shape[:2]}")
    valid = np.ones_like(truth) if valid is None else valid
    return EvaluationObject(name=name, image=image, truth=truth, valid=valid)


def _read_image(path: Path) -> NDArray[np.uint8]:
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION  # as the truth was drawn
    image = cv2.imread(str(path), flags)
    if image is None:
        raise DataError(f"{path}: not a readable image")
    return np.asarray(image, dtype=np.uint8)
