"""Mean IoU of the classes of VOC 2012, with objects behind others and without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mfp_model.data.coco import OnProblem, refuse
from mfp_model.data.pictures import UNREADABLE, read_image
from mfp_model.data.sbd import read_names
from mfp_model.errors import DataError
from mfp_model.evaluation.objects import or_tell
from mfp_model.finding.finders import VOC_CLASSES, Finder
from mfp_model.finding.inpainters import Inpainter
from mfp_model.finding.layers import LayeredObject, LayersConfig, find_layers

_IGNORED = 255
_OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VocImage:
    """A photo and its classes by pixel.

    Attributes:
        name: For reports.
        image: RGB uint8 `[H, W, 3]`.
        classes: uint8 `[H, W]`: 0 background, 1 to 20 as in `VOC_CLASSES`, 255 does not count.
    """

    name: str
    image: NDArray[np.uint8]
    classes: NDArray[np.uint8]


def read_voc(
    root: Path, *, split: str = "val", on_problem: OnProblem = refuse
) -> Iterator[VocImage]:
    """Yield the images of a split of VOC 2012's segmentation task.

    Args:
        root: `VOC2012`, with `JPEGImages`, `SegmentationClass` and `ImageSets/Segmentation`.
        split: Name of the list.
        on_problem: Told of each image that is left out, and why.

    Raises:
        DataError: The list is missing or damaged.
    """
    for name in read_names(root / "ImageSets" / "Segmentation", split):
        yield from or_tell(partial(_voc_image, root, name), on_problem)


def _voc_image(root: Path, name: str) -> VocImage:
    image = read_image(root / "JPEGImages" / f"{name}.jpg")
    path = root / "SegmentationClass" / f"{name}.png"
    try:
        with Image.open(path) as file:
            classes = np.asarray(file)  # a palette's indices are the classes
    except UNREADABLE as error:
        raise DataError(f"{path}: {error}") from None
    if classes.ndim != 2 or classes.shape != image.shape[:2]:
        raise DataError(f"{name}: classes {classes.shape}, expected {image.shape[:2]}")
    return VocImage(name=name, image=image, classes=classes)


class ClassIou:
    """Collects pixels by truth and answer; the mean IoU over the classes that occur."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._counts = np.zeros((len(names), len(names)), dtype=np.int64)

    def add(self, truth: NDArray[np.uint8], answer: NDArray[np.uint8]) -> None:
        """Count an image's pixels, both uint8 `[H, W]`; those with truth 255 do not count.

        Raises:
            DataError: The truth has a class without a name.
        """
        valid = truth != _IGNORED
        if valid.any() and int(truth[valid].max()) >= len(self._names):
            raise DataError(
                f"class {int(truth[valid].max())}: expected 0 to {len(self._names) - 1}, or 255"
            )
        pairs = truth[valid].astype(np.int64) * len(self._names) + answer[valid]
        self._counts += np.bincount(pairs, minlength=self._counts.size).reshape(self._counts.shape)

    def by_class(self) -> dict[str, float]:
        """Return the IoU of each class that occurs in truth or answers."""
        common = np.diag(self._counts)
        union = self._counts.sum(axis=0) + self._counts.sum(axis=1) - common
        return {
            name: float(common[index] / union[index])
            for index, name in enumerate(self._names)
            if union[index]
        }

    def mean(self) -> float:
        """Return the mean of `by_class`."""
        return float(np.mean(list(self.by_class().values())))


def class_names(*, knows_classes: bool) -> tuple[str, ...]:
    """Return VOC's classes, or background and object for finders that know none."""
    return VOC_CLASSES if knows_classes else (VOC_CLASSES[0], _OBJECT)


def class_map(
    layers: Sequence[LayeredObject], shape: tuple[int, int], *, knows_classes: bool
) -> NDArray[np.uint8]:
    """Return each pixel's class uint8 `[H, W]`, what is in front over what is behind.

    Args:
        layers: Objects, front first.
        shape: Of the image.
        knows_classes: Whether objects have VOC's labels.
    """
    classes = np.zeros(shape, dtype=np.uint8)
    for layer in reversed(layers):
        label = layer.whole.label
        classes[layer.whole.mask] = VOC_CLASSES.index(label) if knows_classes and label else 1
    return classes


def compared(
    pictures: Iterable[VocImage],
    finder: Finder,
    inpainter: Inpainter,
    config: LayersConfig,
    *,
    knows_classes: bool,
) -> dict[str, ClassIou]:
    """Return what was collected of pictures `without` looking behind, and `with` it.

    Each picture is looked at twice: an object that is completed, or found later, is not what
    would have been answered without.

    Args:
        pictures: What is looked at.
        finder: What segments.
        inpainter: What fills the place of what is removed.
        config: How far to look behind.
        knows_classes: Whether the finder's objects have VOC's labels.

    Raises:
        DataError: There is no picture, or as of `ClassIou.add`.
    """
    names = class_names(knows_classes=knows_classes)
    configs = {"without": replace(config, max_rounds=0), "with": config}
    collected = {name: ClassIou(names) for name in configs}
    for picture in pictures:
        classes, shape = picture.classes, picture.image.shape[:2]
        truth = classes if knows_classes else np.where(classes == _IGNORED, _IGNORED, classes > 0)
        for name, steps in configs.items():
            layers = find_layers(picture.image, finder, inpainter, steps)
            answer = class_map(layers, (shape[0], shape[1]), knows_classes=knows_classes)
            collected[name].add(truth.astype(np.uint8), answer)
    if not collected["with"].by_class():
        raise DataError("nothing to score: there is no picture whose pixels count")
    return collected
