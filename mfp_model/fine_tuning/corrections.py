"""Corrected masks split by image: most to learn from, some held out to stop and to judge by."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfp_model.data.coco import OnProblem, read_coco, refuse
from mfp_model.data.coco_data import CocoAnnotation, CocoImage
from mfp_model.data.coco_images import checked_images
from mfp_model.data.coco_layout import ANNOTATIONS, IMAGES
from mfp_model.data.coco_writing import write_coco
from mfp_model.errors import DataError
from mfp_model.files import digest_of

MIN_IMAGES = 4
_HELD_OUT_SHARE = 0.2
_CORRECTED_WEIGHT = 3.0
_UNTOUCHED_WEIGHT = 1.0  # a model's mask that a person accepted as it was
_N_HELD_OUT_OBJECTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """A split of corrected masks, as COCO folders.

    Attributes:
        train: Folder to learn from; its annotations have a `weight`.
        held_out: Folder to judge by, of other images, at most 40 objects.
        summary: What goes into reports: images, objects, corrected objects, a digest of the
            annotations and of the images that are there.
    """

    train: Path
    held_out: Path
    summary: Mapping[str, Any]


def split_corrections(root: Path, out: Path, *, on_problem: OnProblem = refuse) -> Corrections:
    """Split a COCO folder by image.

    Which images are held out depends on their files' content alone. So nearly all stay on their
    side as more come, and an image that is there twice is on one side.

    Args:
        root: The folder, `annotations.json` beside `images/`. Annotations that `mfp coco export`
            wrote tell whether a person changed them.
        out: Where `train/` and `held-out/` go.
        on_problem: Told of each image and mask that is damaged and so left out.

    Raises:
        DataError: It is no such folder, or has masks on fewer than 4 different images.
    """
    data = read_coco(root, on_problem=on_problem)
    digests = {image: digest_of(image.path) for image, _ in checked_images(data, on_problem)}
    images = sorted(digests, key=lambda image: digests[image])
    n_photos = len(set(digests.values()))
    if n_photos < MIN_IMAGES:
        raise DataError(f"{data.path}: masks on {n_photos} images, expected at least {MIN_IMAGES}")
    wanted = max(1, round(_HELD_OUT_SHARE * len(images)))
    ends = [
        n for n in range(1, len(images)) if digests[images[n - 1]] != digests[images[n]]
    ]  # of images that are there several times
    n_held_out = next((n for n in ends if n >= wanted), ends[-1])
    judged = [mask for image in images[:n_held_out] for mask in image.objects]
    judged = sorted(judged, key=lambda mask: _digest(str(mask.id)))[:_N_HELD_OUT_OBJECTS]
    learned = [mask for image in images[n_held_out:] for mask in image.objects]
    is_judged = {mask.id for mask in judged}
    _write(out / "train", images[n_held_out:], lambda mask: True)
    _write(out / "held-out", images[:n_held_out], lambda mask: mask.id in is_judged)
    summary = {
        "digest": _digest(" ".join([data.digest, *(digests[image] for image in images)])),
        "images": len(images),
        "held_out_images": n_held_out,
        "objects": len(learned),
        "corrected": sum(is_corrected(mask.entry) for mask in learned),
        "held_out_objects": len(judged),
        "labels": dict(Counter(mask.category or "-" for mask in [*learned, *judged])),
    }
    return Corrections(train=out / "train", held_out=out / "held-out", summary=summary)


def is_corrected(annotation: Mapping[str, Any]) -> bool:
    """Return whether a person drew or changed the mask; so it is taken where nothing is told."""
    source = annotation.get("label_studio")
    return not isinstance(source, dict) or source.get("origin") != "prediction"


def _write(out: Path, images: list[CocoImage], is_wanted: Callable[[CocoAnnotation], bool]) -> None:
    """A COCO folder whose images are links to the given one's; crowds stay in it."""
    shutil.rmtree(out, ignore_errors=True)
    for image in images:
        link = out / IMAGES / image.file_name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)  # several rows may have one file
        link.symlink_to(image.path.resolve())
    annotations = (
        {**mask.entry, "id": mask.id, "weight": _weight(mask)}
        for image in images
        for mask in image.annotations
        if mask.is_crowd or is_wanted(mask)
    )
    write_coco(out / ANNOTATIONS, images=map(_image_row, images), annotations=annotations)


def _image_row(image: CocoImage) -> Mapping[str, Any]:
    """Of masks that were drawn on what is shown, this is told row by row."""
    return {"label_studio": {}, **image.entry} if image.is_as_shown else image.entry


def _weight(mask: CocoAnnotation) -> float:
    return _CORRECTED_WEIGHT if is_corrected(mask.entry) else _UNTOUCHED_WEIGHT


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
