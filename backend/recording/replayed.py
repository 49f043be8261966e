"""Recorded objects -> what a benchmark, or a fine-tuning's gate, replays."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.images.decoding import decode_image
from backend.images.sources import ImageFiles
from backend.recording.recorded_objects import RecordedObject
from mfp_model.data.coco import read_coco
from mfp_model.data.coco_writing import write_coco
from mfp_model.errors import ImageError
from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.masks.rle import encode_mask

_log = logging.getLogger(__name__)


def targets_of(
    objects: Iterable[RecordedObject],
    sources: ImageFiles,
    *,
    max_megapixels: float,
    problems: list[str],
) -> Iterator[EvaluationObject]:
    """Yield the objects that were saved, with their images.

    Args:
        objects: The objects.
        sources: What reads images.
        max_megapixels: Larger images are problems.
        problems: Told of images that cannot be read.
    """
    for recorded in objects:
        if recorded.final is None:
            continue
        name = f"project {recorded.project} task {recorded.task}"
        try:
            image = image_of(recorded, sources, max_megapixels=max_megapixels)
        except ImageError as error:
            problems.append(f"{name}: {error}")
            continue
        truth = recorded.final.runs.mask()
        yield EvaluationObject(
            name=name,
            image=image,
            truth=truth,
            valid=np.ones_like(truth),
            clicks=recorded.clicks,
            prior=None if recorded.prior is None else recorded.prior.runs.mask(),
        )


def image_of(
    recorded: RecordedObject, sources: ImageFiles, *, max_megapixels: float
) -> NDArray[np.uint8]:
    """Return the image that an object was clicked on, RGB uint8 `[H, W, 3]`.

    Raises:
        ImageError: It cannot be read, or is of another size by now.
    """
    content = sources.read(recorded.image, recorded.task)
    image = decode_image(content, max_megapixels=max_megapixels)
    clicked = recorded.answers[0].mask
    if image.shape[:2] != (clicked.height, clicked.width):
        height, width = image.shape[:2]
        raise ImageError(
            f"image is {width}x{height}, but it was clicked on as {clicked.width}x{clicked.height}"
        )
    return image


def add_clicks(folder: Path, objects: Iterable[RecordedObject]) -> int:
    """Give the annotations of an export their recorded clicks, and return how many have some.

    Args:
        folder: Of `mfp coco export`, whose annotations tell their tasks and regions.
        objects: What was recorded of the project.
    """
    data = read_coco(folder, on_problem=_log.warning)
    recorded = {
        (clicked.task, region): clicked for clicked in objects for region in clicked.regions
    }
    annotations, n_clicked = [], 0
    for image in data.images:
        for annotation in image.annotations:
            place = (_source(image.entry).get("task"), _source(annotation.entry).get("region"))
            clicked = recorded.get((str(place[0]), str(place[1])))
            annotations.append({**annotation.entry, **(_clicks(clicked) if clicked else {})})
            n_clicked += clicked is not None
    write_coco(
        data.path,
        images=(image.entry for image in data.images),
        annotations=annotations,
        categories=[{"id": number, "name": name} for number, name in data.categories.items()],
    )
    return n_clicked


def _source(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an export tells of where an image or an annotation comes from."""
    source = entry.get("label_studio")
    return source if isinstance(source, dict) else {}


def _clicks(clicked: RecordedObject) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "clicks": [[click.x, click.y, int(click.is_positive)] for click in clicked.clicks]
    }
    return (
        entry
        if clicked.prior is None
        else {**entry, "prior": encode_mask(clicked.prior.runs.mask())}
    )
