"""Training samples from COCO instance folders: crops around an object, and its mask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from mfp_model.errors import DataError
from mfp_model.rle import decode_segmentation

_MIN_OBJECT_SHARE = 0.004  # of the crop; smaller targets are drawn again
_TRIES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingImage:
    """An image file and the objects on it, each a COCO segmentation."""

    path: Path
    height: int
    width: int
    segmentations: tuple[Any, ...]

    def mask(self, index: int) -> NDArray[np.uint8]:
        """Return the mask of one object, uint8 `[height, width]`, 0 or 1."""
        segmentation = self.segmentations[index]
        mask = decode_segmentation(segmentation, height=self.height, width=self.width)
        return mask.astype(np.uint8)


def read_coco_folder(root: Path) -> list[TrainingImage]:
    """Return the images of `root/annotations.json` that have at least one object.

    Crowd annotations are left out.

    Raises:
        DataError: The file is missing, not COCO, or has no object.
    """
    path = root / "annotations.json"
    try:
        content = json.loads(path.read_text())
        segmentations: dict[int, list[Any]] = {image["id"]: [] for image in content["images"]}
        for annotation in content["annotations"]:
            if not annotation.get("iscrowd"):
                segmentations[annotation["image_id"]].append(annotation["segmentation"])
        images = [
            TrainingImage(
                path=root / "images" / image["file_name"],
                height=image["height"],
                width=image["width"],
                segmentations=tuple(segmentations[image["id"]]),
            )
            for image in content["images"]
            if segmentations[image["id"]]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected COCO instance annotations, got {error!r}") from None
    if not images:
        raise DataError(f"{path}: no image with an object")
    return images


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleSource:
    """Images by folder with the folders' probabilities."""

    folders: tuple[list[TrainingImage], ...]
    probabilities: NDArray[np.float64]

    @staticmethod
    def read(folders: tuple[tuple[Path, float], ...]) -> SampleSource:
        """Return the source over COCO folders, each with its weight."""
        weights = np.array([weight for _, weight in folders], dtype=np.float64)
        images = tuple(read_coco_folder(root) for root, _ in folders)
        return SampleSource(folders=images, probabilities=weights / weights.sum())


class ClickSamples(Dataset[tuple[NDArray[np.uint8], NDArray[np.uint8]]]):
    """Sample i: a crop uint8 `[size, size, 3]` and its target mask uint8 `[size, size]`.

    Sample i depends on the seed and i alone, so a run can be resumed anywhere.
    """

    def __init__(
        self, source: SampleSource, *, size: int, seed: int, merge_probability: float
    ) -> None:
        self._source = source
        self._size = size
        self._seed = seed
        self._merge_probability = merge_probability

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        generator = np.random.default_rng([self._seed, index])
        for _ in range(_TRIES):
            pixels, target = self._draw(generator)
            if target.mean() >= _MIN_OBJECT_SHARE:
                break
        return _recoloured(pixels, generator), target

    def _draw(self, generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        folder = generator.choice(len(self._source.folders), p=self._source.probabilities)
        images = self._source.folders[folder]
        image = images[int(generator.integers(len(images)))]
        chosen = int(generator.integers(len(image.segmentations)))
        target = image.mask(chosen)
        if len(image.segmentations) > 1 and generator.random() < self._merge_probability:
            target = target | image.mask(int(generator.integers(len(image.segmentations))))
        pixels = cv2.imread(str(image.path), cv2.IMREAD_COLOR_RGB)
        if pixels is None:
            raise DataError(f"{image.path}: not a readable image")
        matrix = _random_view(target, self._size, generator)
        area = abs(np.linalg.det(matrix[:, :2]))
        if area < 0.25:  # shrinking by more than half: smooth first, or thin things flicker
            pixels = cv2.blur(pixels, (2, 2))
        size = (self._size, self._size)
        border = cv2.BORDER_REFLECT_101 if generator.random() < 0.5 else cv2.BORDER_CONSTANT
        crop = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
        mask = cv2.warpAffine(target, matrix, size, flags=cv2.INTER_NEAREST)
        return np.asarray(crop, dtype=np.uint8), np.asarray(mask, dtype=np.uint8)


def _random_view(
    target: NDArray[np.uint8], size: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """A 2x3 matrix from image to crop: around the object, or of much of the image."""
    height, width = target.shape
    rows, columns = np.flatnonzero(target.any(axis=1)), np.flatnonzero(target.any(axis=0))
    if rows.size == 0:
        rows, columns = np.arange(height), np.arange(width)
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)
    centre = (box[:2] + box[2:]) / 2
    extent = np.maximum(box[2:] - box[:2], 8.0)
    if generator.random() < 0.55:  # as the zoom-in shows it
        extent = extent * generator.uniform(1.0, 2.0, size=2)
        centre = centre + generator.uniform(-0.2, 0.2, size=2) * extent
    else:  # as the first look at the whole image shows it
        extent = np.array([width, height]) * generator.uniform(0.5, 1.1)
        free = np.maximum(np.array([width, height]) - extent, 0)
        start = np.clip(centre - extent * generator.random(2), 0, free)
        centre = start + extent / 2
    extent = extent * np.exp(generator.uniform(-0.2, 0.2) * np.array([1, -1]))
    angle = generator.normal(0, 0.12)
    if generator.random() < 0.08:
        angle += np.pi / 2 * generator.integers(1, 4)
    scale = size / extent * np.array([1 if generator.random() < 0.5 else -1, 1])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.diag(scale) @ turn
    return np.hstack([linear, (size / 2 - linear @ centre)[:, None]])


def _recoloured(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Brightness, contrast, saturation and colour balance changed a little; sometimes grey."""
    values = pixels.astype(np.float32)
    grey = values.mean(axis=2, keepdims=True)
    saturation = 0.0 if generator.random() < 0.05 else generator.uniform(0.6, 1.4)
    values = grey + saturation * (values - grey)
    mean = values.mean()
    values = mean + generator.uniform(0.7, 1.3) * (values - mean)
    values += generator.uniform(-25, 25) + generator.uniform(-12, 12, size=3).astype(np.float32)
    recoloured: NDArray[np.uint8] = np.clip(values, 0, 255).astype(np.uint8)
    return recoloured
