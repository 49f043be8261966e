"""Recorded objects -> what a benchmark, or a fine-tuning's gate, replays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backend.images.decoding import decode_image
from backend.images.sources import ImageFiles
from backend.recording.objects import RecordedObject
from mfp_model.errors import ImageError
from mfp_model.evaluation.datasets import EvaluationObject
from mfp_model.files import write_atomically
from mfp_model.masks.rle import encode_mask


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
    for one in objects:
        if one.final is None:
            continue
        name = f"project {one.project} task {one.task}"
        try:
            content = sources.read(one.image, one.task)
            image = decode_image(content, max_megapixels=max_megapixels)
            truth = one.final.runs.mask()
            if image.shape[:2] != truth.shape:
                raise ImageError(f"image {image.shape[:2]}, clicked on as {truth.shape}")
        except ImageError as error:
            problems.append(f"{name}: {error}")
            continue
        yield EvaluationObject(
            name=name,
            image=image,
            truth=truth,
            valid=np.ones_like(truth),
            clicks=one.clicks,
            prior=None if one.prior is None else one.prior.runs.mask(),
        )


def add_clicks(folder: Path, objects: Iterable[RecordedObject]) -> int:
    """Give the annotations of an export their recorded clicks, and return how many have some.

    Args:
        folder: Of `mfp coco export`, whose annotations tell their tasks and regions.
        objects: What was recorded of the project.
    """
    path = folder / "annotations.json"
    content = json.loads(path.read_text())
    tasks = {image["id"]: str(image["label_studio"]["task"]) for image in content["images"]}
    recorded = {(one.task, region): one for one in objects for region in one.regions}
    n_found = 0
    for annotation in content["annotations"]:
        region = str(annotation.get("label_studio", {}).get("region"))
        one = recorded.get((tasks[annotation["image_id"]], region))
        if one is not None:
            annotation |= _clicks(one)
            n_found += 1
    write_atomically(path, json.dumps(content).encode())
    return n_found


def _clicks(one: RecordedObject) -> dict[str, Any]:
    told: dict[str, Any] = {
        "clicks": [[click.x, click.y, int(click.is_positive)] for click in one.clicks]
    }
    return told if one.prior is None else {**told, "prior": encode_mask(one.prior.runs.mask())}
