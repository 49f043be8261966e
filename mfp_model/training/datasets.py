"""Data sets to train on: COCO instance folders, LVIS v1 beside COCO images, SBD."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.data.sbd import read_instances, read_names
from mfp_model.errors import DataError
from mfp_model.masks.rle import decode_segmentation, segmentation_area


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingImage:
    """An image file and the objects on it.

    Attributes:
        path: The image file.
        objects: COCO segmentations, or the numbers of the instances in `instances`.
        areas: The objects' sizes in pixels.
        weights: How much more often than others an object is drawn; from a COCO annotation's
            `weight`, 1 without it.
        crowds: COCO segmentations of groups in which no pixel counts as background.
        instances: An SBD file of instance numbers, or None.
    """

    path: Path
    objects: tuple[Any, ...]
    areas: tuple[float, ...]
    weights: tuple[float, ...]
    crowds: tuple[Any, ...] = ()
    instances: Path | None = None

    def pixels(self) -> NDArray[np.uint8]:
        """Return the image, RGB uint8 `[H, W, 3]`.

        Raises:
            DataError: The file is missing or cannot be decoded.
        """
        pixels = cv2.imread(str(self.path), cv2.IMREAD_COLOR_RGB)
        if pixels is None:
            raise DataError(f"{self.path}: not a readable image")
        return np.asarray(pixels, dtype=np.uint8)

    def mask(self, index: int, *, height: int, width: int) -> NDArray[np.bool_]:
        """Return the mask of one object, bool `[height, width]`."""
        if self.instances is not None:
            return np.asarray(read_instances(self.instances) == self.objects[index])
        return decode_segmentation(self.objects[index], height=height, width=width)

    def ignored(self, *, height: int, width: int) -> NDArray[np.bool_]:
        """Return where background does not count, bool `[height, width]`."""
        ignored = np.zeros((height, width), dtype=np.bool_)
        if self.instances is not None:
            ignored |= read_instances(self.instances) == 255
        for crowd in self.crowds:
            ignored |= decode_segmentation(crowd, height=height, width=width)
        return ignored


def read_dataset(root: Path, *, min_object_px: int = 0) -> list[TrainingImage]:
    """Return the images of a data set that have at least one object.

    Args:
        root: A COCO folder (`annotations.json` beside `images/`), an annotation file of COCO or
            LVIS v1 whose images lie in `images/` or in folders named after the split
            (`train2017/`) beside it, or SBD's `dataset` folder (`img/`, `inst/`, `train.txt`).
        min_object_px: Smaller objects are left out.

    Raises:
        DataError: It is none of these, is damaged, or has no object.
    """
    if (root / "inst").is_dir():
        images = _read_sbd(root, min_object_px)
    else:
        images = _read_coco(root / "annotations.json" if root.is_dir() else root, min_object_px)
    if not images:
        raise DataError(f"{root}: no image with an object of at least {min_object_px} px")
    return images


def _read_coco(path: Path, min_object_px: int) -> list[TrainingImage]:
    try:
        content = json.loads(path.read_text())
        by_image: dict[int, list[dict[str, Any]]] = {row["id"]: [] for row in content["images"]}
        for annotation in content["annotations"]:
            by_image[annotation["image_id"]].append(annotation)
        images = [
            _coco_image(path.parent, row, by_image[row["id"]], min_object_px)
            for row in content["images"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected COCO instance annotations, got {error!r}") from None
    return [image for image in images if image.objects]


def _coco_image(
    folder: Path, row: dict[str, Any], annotations: list[dict[str, Any]], min_object_px: int
) -> TrainingImage:
    size = {"height": int(row["height"]), "width": int(row["width"])}
    objects, areas, weights, crowds = [], [], [], []
    for annotation in annotations:
        if annotation.get("iscrowd") or annotation.get("ignore"):
            crowds.append(annotation["segmentation"])
            continue
        area = annotation.get("area") or segmentation_area(annotation["segmentation"], **size)
        if area >= max(1, min_object_px):
            objects.append(annotation["segmentation"])
            areas.append(float(area))
            weights.append(float(annotation.get("weight", 1)))
    return TrainingImage(
        path=_image_path(folder, row),
        objects=tuple(objects),
        areas=tuple(areas),
        weights=tuple(weights),
        crowds=tuple(crowds),
    )


def _image_path(folder: Path, row: dict[str, Any]) -> Path:
    """Where the image lies; LVIS names only an address that ends in `train2017/000.jpg`."""
    if "file_name" in row:
        return folder / "images" / str(row["file_name"])
    *_, split, name = str(row["coco_url"]).split("/")
    in_split = folder / split / name
    return in_split if in_split.parent.is_dir() else folder / "images" / name


def _read_sbd(root: Path, min_object_px: int) -> list[TrainingImage]:
    images = []
    for name in read_names(root, "train"):
        path = root / "inst" / f"{name}.mat"
        numbers, counts = np.unique(read_instances(path), return_counts=True)
        large = (numbers > 0) & (numbers < 255) & (counts >= min_object_px)
        if large.any():
            images.append(
                TrainingImage(
                    path=root / "img" / f"{name}.jpg",
                    objects=tuple(int(number) for number in numbers[large]),
                    areas=tuple(float(count) for count in counts[large]),
                    weights=(1.0,) * int(large.sum()),
                    instances=path,
                )
            )
    return images
