"""Objects to evaluate on: an image, the truth, and where an error does not count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mfp_model.data.coco import OnProblem, read_coco, refuse
from mfp_model.data.coco_data import CocoAnnotation, CocoImage
from mfp_model.data.matlab import read_matlab
from mfp_model.data.orientation import turned, turned_point
from mfp_model.data.pictures import check_image, read_image
from mfp_model.data.sbd import read_instances, read_names
from mfp_model.errors import DataError, ImageError, PromptError
from mfp_model.evaluation.objects import EvaluationObject, UnreadObject, object_of, or_tell
from mfp_model.evaluation.pictures_of_masks import (
    read_davis2017,
    read_index,
    read_pairs,
    read_voc_objects,
)
from mfp_model.masks.rle import decode_segmentation
from mfp_model.prompts import Click, check_prompts

_MIN_REGION_SHARE = 0.005  # of the image; BSDS500's smaller regions are left out


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


def coco_objects(root: Path, *, on_problem: OnProblem = refuse) -> Iterator[EvaluationObject]:
    """Yield every object of a COCO folder; crowds are none, and nothing on them is an error.

    An annotation may have `clicks`, each `[x, y, sign]` with a sign of 1 or 0, and the `prior`
    mask that they began with, as COCO RLE.
    """
    for unread in unread_coco_objects(root, on_problem=on_problem):
        yield from or_tell(unread.read, on_problem)


def unread_coco_objects(root: Path, *, on_problem: OnProblem = refuse) -> Iterator[UnreadObject]:
    """Yield every object of a COCO folder, as `coco_objects` does, without its image."""
    data = read_coco(root, on_problem=on_problem)

    def target(image: CocoImage, annotation: CocoAnnotation) -> EvaluationObject:
        try:
            return _coco_object(image, annotation)
        except (DataError, ImageError) as error:
            raise DataError(f"{data.where(image, annotation)}: {error}") from None

    for image in data.images:
        for annotation in image.objects:
            yield UnreadObject(
                truth=partial(image.mask, annotation), read=partial(target, image, annotation)
            )


def read_sbd(root: Path, *, on_problem: OnProblem = refuse) -> Iterator[EvaluationObject]:
    """Yield every instance of SBD's `val.txt`; images in `img/`, instances in `inst/*.mat`."""
    for name in read_names(root, "val"):
        image = root / "img" / f"{name}.jpg"
        read = partial(read_instances, root / "inst" / f"{name}.mat")
        for numbers in or_tell(read, on_problem):
            valid = numbers != 255
            for number in np.unique(numbers[(numbers > 0) & valid]):
                make = partial(object_of, f"{name}#{number}", image, numbers == number, valid=valid)
                yield from or_tell(make, on_problem)


def read_bsds500(root: Path, *, on_problem: OnProblem = refuse) -> Iterator[EvaluationObject]:
    """Yield regions of `groundTruth/val/*.mat` (or `test`), images in `images/val`.

    Of an image's annotators the one with the fewest regions counts, of the regions those of
    at least half a percent of the image.
    """
    splits = [split for split in ("val", "test") if (root / "groundTruth" / split).is_dir()]
    if not splits:
        raise DataError(f"{root / 'groundTruth' / 'val'}: no such folder")

    for path in sorted((root / "groundTruth" / splits[0]).glob("*.mat")):
        image = root / "images" / splits[0] / f"{path.stem}.jpg"
        for regions in or_tell(partial(_coarsest_regions, path), on_problem):
            numbers, counts = np.unique(regions, return_counts=True)
            for number in numbers[counts >= _MIN_REGION_SHARE * regions.size]:
                make = partial(object_of, f"{path.stem}#{number}", image, regions == number)
                yield from or_tell(make, on_problem)


READERS: dict[str, Reader] = {
    "grabcut": partial(read_pairs, images="data_GT", truths="boundary_GT"),
    "berkeley": partial(read_pairs, images="images", truths="masks"),
    "davis": partial(read_pairs, images="img", truths="gt", takes_colours=True),
    "davis2017": read_davis2017,
    "voc": read_voc_objects,
    "index": read_index,
    "sbd": read_sbd,
    "bsds500": read_bsds500,
    "coco": coco_objects,
}


def _coco_object(image: CocoImage, annotation: CocoAnnotation) -> EvaluationObject:
    truth = image.mask(annotation)
    if not truth.any():
        raise DataError("a mask without a pixel")
    valid = np.ones_like(truth)
    for crowd in image.crowds:
        valid &= ~image.mask(crowd) | truth
    name = f"{image.file_name}#{annotation.id}"
    prior, clicks = annotation.entry.get("prior"), annotation.entry.get("clicks", [])
    size, turn = {"height": image.height, "width": image.width}, image.turn(check_image(image.path))
    return EvaluationObject(
        name=name,
        image=read_image(image.path),
        truth=turned(truth, turn),
        valid=turned(valid, turn),
        clicks=_clicks(clicks, name, turn, **size),
        prior=None if prior is None else turned(decode_segmentation(prior, **size), turn),
    )


def _clicks(triples: object, name: str, turn: int, *, height: int, width: int) -> tuple[Click, ...]:
    size = {"height": height, "width": width}
    try:
        clicks = [
            Click(x=x, y=y, is_positive=sign)
            for x, y, sign in triples  # type: ignore[attr-defined]
        ]
        check_prompts(clicks, kinds=(Click,), **size)
    except (TypeError, ValueError, PromptError):
        raise DataError(
            f"{name}: clicks={triples!r:.60}: expected [x, y, 1 or 0] each, on the image"
        ) from None
    places = [turned_point(click.x, click.y, turn, **size) for click in clicks]
    return tuple(replace(click, x=x, y=y) for click, (x, y) in zip(clicks, places, strict=True))


def _coarsest_regions(path: Path) -> NDArray[np.uint16]:
    annotators = read_matlab(path, _annotators, expected="BSDS500's groundTruth")
    return min(annotators, key=lambda regions: len(np.unique(regions)))


def _annotators(content: dict[str, Any]) -> list[NDArray[np.uint16]]:
    entries = content["groundTruth"][0]
    return [np.asarray(entry["Segmentation"][0, 0], dtype=np.uint16) for entry in entries]
