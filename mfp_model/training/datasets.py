"""Data sets to train on: COCO instance folders, LVIS v1 beside COCO images, SBD."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfp_model.data.coco import OnProblem, read_coco, refuse
from mfp_model.data.coco_data import CocoAnnotation, CocoImage
from mfp_model.data.coco_images import checked_images
from mfp_model.data.orientation import SIDEWAYS, turned
from mfp_model.data.pictures import check_image, read_image
from mfp_model.data.sbd import read_instances, read_names
from mfp_model.errors import DataError, ImageError
from mfp_model.masks.rle import decode_segmentation, segmentation_area

_log = logging.getLogger(__name__)


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
        turn: How masks are turned to lie on the photo as it is shown: EXIF's 1 to 8.
        instances: An SBD file of instance numbers, or None.
    """

    path: Path
    objects: tuple[Any, ...]
    areas: tuple[float, ...]
    weights: tuple[float, ...]
    crowds: tuple[Any, ...] = ()
    turn: int = 1
    instances: Path | None = None

    def pixels(self) -> NDArray[np.uint8]:
        """Return the image as it is shown, RGB uint8 `[H, W, 3]`.

        Raises:
            ImageError: The file is missing or cannot be decoded.
        """
        return read_image(self.path)

    def mask(self, index: int, *, height: int, width: int) -> NDArray[np.bool_]:
        """Return the mask of one object, bool `[height, width]`."""
        if self.instances is not None:
            return turned(read_instances(self.instances) == self.objects[index], self.turn)
        return self._decoded(self.objects[index], height=height, width=width)

    def ignored(self, *, height: int, width: int) -> NDArray[np.bool_]:
        """Return where background does not count, bool `[height, width]`."""
        ignored = np.zeros((height, width), dtype=np.bool_)
        if self.instances is not None:
            ignored |= turned(read_instances(self.instances) == 255, self.turn)
        for crowd in self.crowds:
            ignored |= self._decoded(crowd, height=height, width=width)
        return ignored

    def _decoded(self, segmentation: object, *, height: int, width: int) -> NDArray[np.bool_]:
        """A segmentation on the photo of that size, as it is shown."""
        if self.turn in SIDEWAYS:
            height, width = width, height
        return turned(decode_segmentation(segmentation, height=height, width=width), self.turn)


def read_dataset(
    root: Path, *, min_object_px: int = 0, on_problem: OnProblem = refuse
) -> list[TrainingImage]:
    """Return the images of a data set that have at least one object.

    Args:
        root: What `mfp_model.data.coco.read_coco` takes, or SBD's `dataset` folder (`img/`,
            `inst/`, `train.txt`).
        min_object_px: Smaller objects are left out; how many is logged.
        on_problem: Told of each image and each object that is damaged and so left out.

    Raises:
        DataError: It is none of these, or has no object.
    """
    if (root / "inst").is_dir():
        images, n_small = _read_sbd(root, min_object_px, on_problem)
    else:
        images, n_small = _read_coco(root, min_object_px, on_problem)
    if not images:
        raise DataError(f"{root}: no image with an object of at least {min_object_px} px")
    if n_small:
        _log.warning(
            "%s: %d objects below %d px are left out", root, n_small, max(1, min_object_px)
        )
    return images


def _read_coco(
    root: Path, min_object_px: int, on_problem: OnProblem
) -> tuple[list[TrainingImage], int]:
    """The images that have objects, and how many objects are too small."""
    data, images, n_small = read_coco(root, on_problem=on_problem), [], 0
    for image, header in checked_images(data, on_problem):
        areas, weights, objects = [], [], []
        for annotation in image.objects:
            try:
                area, weight = _area(image, annotation), _weight(annotation)
            except DataError as error:
                on_problem(f"{data.where(image, annotation)}: {error}")
                continue
            if area < max(1, min_object_px):
                n_small += 1
                continue
            objects.append(annotation.segmentation)
            areas.append(area)
            weights.append(weight)
        if objects:
            images.append(
                TrainingImage(
                    path=image.path,
                    objects=tuple(objects),
                    areas=tuple(areas),
                    weights=tuple(weights),
                    crowds=tuple(crowd.segmentation for crowd in image.crowds),
                    turn=image.turn(header),
                )
            )
    return images, n_small


def _area(image: CocoImage, annotation: CocoAnnotation) -> float:
    """As the file tells, else counted; 0 for one of which no pixel lies in the image."""
    size = {"height": image.height, "width": image.width}
    n_px = segmentation_area(annotation.segmentation, **size)
    area = annotation.entry.get("area")
    if n_px and isinstance(area, int | float) and 0 < area <= image.height * image.width:
        return float(area)
    return float(n_px)


def _weight(annotation: CocoAnnotation) -> float:
    weight = annotation.entry.get("weight", 1)
    if not isinstance(weight, int | float) or not 0 < weight < math.inf:
        raise DataError(f"weight={weight!r:.40}, expected a number above 0")
    return float(weight)


def _read_sbd(
    root: Path, min_object_px: int, on_problem: OnProblem
) -> tuple[list[TrainingImage], int]:
    """The images that have instances, and how many instances are too small."""
    images, n_small = [], 0
    for name in read_names(root, "train"):
        path, photo = root / "inst" / f"{name}.mat", root / "img" / f"{name}.jpg"
        try:
            instances = read_instances(path)
            turn = check_image(photo).turn_of(height=instances.shape[0], width=instances.shape[1])
        except (DataError, ImageError) as error:
            on_problem(str(error))
            continue
        numbers, counts = np.unique(instances, return_counts=True)
        is_object = (numbers > 0) & (numbers < 255)
        large = is_object & (counts >= min_object_px)
        n_small += int((is_object & ~large).sum())
        if large.any():
            images.append(
                TrainingImage(
                    path=photo,
                    objects=tuple(int(number) for number in numbers[large]),
                    areas=tuple(float(count) for count in counts[large]),
                    weights=(1.0,) * int(large.sum()),
                    turn=turn,
                    instances=path,
                )
            )
    return images, n_small
