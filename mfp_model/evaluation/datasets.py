"""Objects to evaluate on: an image, the truth, and where an error does not count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from mfp_model.data.coco import CocoAnnotation, CocoImage, OnProblem, read_coco, refuse
from mfp_model.data.sbd import read_instances, read_names
from mfp_model.errors import DataError
from mfp_model.masks.rle import decode_segmentation
from mfp_model.prompts import Click

_Made = TypeVar("_Made")

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


class Reader(Protocol):
    """What yields the objects of a folder."""

    def __call__(self, root: Path, *, on_problem: OnProblem = refuse) -> Iterator[EvaluationObject]:
        """Yield the objects, one after the other.

        Args:
            root: The folder.
            on_problem: Told of each image and object that is left out, and why.

        Raises:
            DataError: The folder is none of its kind.
        """


def read_pairs(
    root: Path, *, images: str, truths: str, on_problem: OnProblem = refuse
) -> Iterator[EvaluationObject]:
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

    def pair(path: Path) -> EvaluationObject:
        truth = cv2.imread(str(by_stem[path.stem]), cv2.IMREAD_GRAYSCALE)
        if truth is None:
            raise DataError(f"{by_stem[path.stem]}: not a readable image")
        return _object(path.stem, _read_image(path), truth > 128, valid=truth != 128)

    for path in paths:
        yield from _told(partial(pair, path), on_problem)


def coco_objects(root: Path, *, on_problem: OnProblem = refuse) -> Iterator[EvaluationObject]:
    """Yield every object of a COCO folder; crowds are left out.

    An annotation may have `clicks`, each `[x, y, sign]` with a sign of 1 or 0, and the `prior`
    mask that they began with, as COCO RLE.
    """
    data = read_coco(root, on_problem=on_problem)

    def target(image: CocoImage, annotation: CocoAnnotation) -> EvaluationObject:
        try:
            return _coco_object(image, annotation)
        except DataError as error:
            raise DataError(f"{data.where(image, annotation)}: {error}") from None

    for image in data.images:
        for annotation in image.objects:
            yield from _told(partial(target, image, annotation), on_problem)


def read_sbd(root: Path, *, on_problem: OnProblem = refuse) -> Iterator[EvaluationObject]:
    """Yield every instance of SBD's `val.txt`; images in `img/`, instances in `inst/*.mat`."""

    def instances(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        numbers = read_instances(root / "inst" / f"{name}.mat")
        return numbers, _read_image(root / "img" / f"{name}.jpg")

    for name in read_names(root, "val"):
        for numbers, image in _told(partial(instances, name), on_problem):
            valid = numbers != 255
            for number in np.unique(numbers[(numbers > 0) & valid]):
                make = partial(_object, f"{name}#{number}", image, numbers == number, valid=valid)
                yield from _told(make, on_problem)


def read_bsds500(root: Path, *, on_problem: OnProblem = refuse) -> Iterator[EvaluationObject]:
    """Yield regions of `groundTruth/val/*.mat` (or `test`), images in `images/val`.

    Of an image's annotators the one with the fewest regions counts, of the regions those of
    at least half a percent of the image.
    """
    splits = [split for split in ("val", "test") if (root / "groundTruth" / split).is_dir()]
    if not splits:
        raise DataError(f"{root / 'groundTruth' / 'val'}: no such folder")

    def regions_of(path: Path) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        image = _read_image(root / "images" / splits[0] / f"{path.stem}.jpg")
        return _coarsest_regions(path), image

    for path in sorted((root / "groundTruth" / splits[0]).glob("*.mat")):
        for regions, image in _told(partial(regions_of, path), on_problem):
            numbers, counts = np.unique(regions, return_counts=True)
            for number in numbers[counts >= _MIN_REGION_SHARE * regions.size]:
                make = partial(_object, f"{path.stem}#{number}", image, regions == number)
                yield from _told(make, on_problem)


READERS: dict[str, Reader] = {
    "grabcut": partial(read_pairs, images="data_GT", truths="boundary_GT"),
    "berkeley": partial(read_pairs, images="images", truths="masks"),
    "davis": partial(read_pairs, images="img", truths="gt"),
    "sbd": read_sbd,
    "bsds500": read_bsds500,
    "coco": coco_objects,
}


def _told(make: Callable[[], _Made], on_problem: OnProblem) -> Iterator[_Made]:
    """Yield what is made; where it cannot be, tell why and yield nothing."""
    try:
        made = make()
    except DataError as error:
        on_problem(str(error))
        return
    yield made


def _coco_object(image: CocoImage, annotation: CocoAnnotation) -> EvaluationObject:
    truth = image.mask(annotation)
    if not truth.any():
        raise DataError("a mask without a pixel")
    name = f"{image.file_name}#{annotation.id}"
    prior = annotation.entry.get("prior")
    size = {"height": image.height, "width": image.width}
    return replace(
        _object(name, _read_image(image.path), truth),
        clicks=_clicks(annotation.entry.get("clicks", []), name),
        prior=None if prior is None else decode_segmentation(prior, **size),
    )


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
