"""Replay: what the base finds on photos that ship with the package, so that it is not forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfp_model.data.coco import read_coco
from mfp_model.data.coco_layout import ANNOTATIONS, IMAGES
from mfp_model.data.coco_writing import write_coco
from mfp_model.data.pictures import read_image
from mfp_model.masks.bounds import mask_iou
from mfp_model.masks.depths import deepest_click
from mfp_model.masks.rle import encode_mask
from mfp_model.prompts import Click
from mfp_model.segmenter import Segmenter

REPLAY_PHOTOS = Path(__file__).parent / "replay_photos"

_TRIES = 12  # clicks an image
_AGREEMENT_IOU = 0.8  # of the answers to two clicks on one object
_SAME_IOU = 0.7  # two masks of one object
_MIN_SHARE, _MAX_SHARE = 0.004, 0.8  # of the image


def write_replay(
    base: Segmenter,
    out: Path,
    *,
    photos: Path = REPLAY_PHOTOS,
    report: Callable[[float], None] = lambda share: None,
) -> bool:
    """Write a COCO folder of what a segmenter finds by itself on photos; one that is there is kept.

    Source: the distillation of Learning without Forgetting (Li and Hoiem, 2016), with masks in
    place of outputs.

    Args:
        base: Whose answers are to be kept.
        out: The folder.
        photos: Folder of images.
        report: Told the share that is done.

    Returns:
        Whether anything was found.

    Raises:
        ImageError: An image cannot be read.
    """
    path = out / ANNOTATIONS
    if not path.exists():
        paths = sorted(photos.glob("*.webp"))
        rows: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, photo in enumerate(paths, start=1):
            image = read_image(photo)
            height, width = image.shape[:2]
            rows.append({"id": number, "file_name": photo.name, "height": height, "width": width})
            for mask in found_objects(base, image):
                shape = {"segmentation": encode_mask(mask), "area": int(mask.sum()), "iscrowd": 0}
                annotations.append({"id": len(annotations) + 1, "image_id": number, **shape})
            report(number / len(paths))
        out.mkdir(parents=True, exist_ok=True)
        (out / IMAGES).unlink(missing_ok=True)
        (out / IMAGES).symlink_to(photos.resolve())
        write_coco(path, images=rows, annotations=annotations)
    return any(image.objects for image in read_coco(out).images)


def found_objects(base: Segmenter, image: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
    """Return masks bool `[H, W]` on which two single clicks, one of them random, agree."""
    height, width = image.shape[:2]
    seed = int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:8], "big")
    generator = np.random.default_rng(seed)
    masks: list[NDArray[np.bool_]] = []
    for x, y in generator.random((_TRIES, 2)) * (width, height):
        first = base.segment(image, [Click(x=float(x), y=float(y))]).mask
        if not _MIN_SHARE < first.mean() < _MAX_SHARE:
            continue
        second = base.segment(image, [deepest_click(first)]).mask
        if mask_iou(first, second) < _AGREEMENT_IOU:
            continue
        if all(mask_iou(second, other) < _SAME_IOU for other in masks):
            masks.append(second)
    return masks
