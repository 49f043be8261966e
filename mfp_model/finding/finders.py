"""Finding objects without a person's clicks, by one contract."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from mfp_model.checkpoints.pickles import read_tensors
from mfp_model.errors import CheckpointError, reason_of
from mfp_model.masks.bounds import mask_iou
from mfp_model.masks.specks import remove_specks
from mfp_model.networks.image_input import normalised_tensor
from mfp_model.prediction import MASK_THRESHOLD
from mfp_model.prompts import Click
from mfp_model.segmenter import Segmenter
from mfp_model.weights.versions import with_answers

VOC_CLASSES = (
    "background",
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
_DEEPLAB_PX = 520  # of the short side
_DEEPLAB_PIXELS = 5_000_000  # at most: a strip, whose long side would be very long, gets fewer
_MIN_SHARE, _MAX_SHARE = 0.003, 0.8  # of the image, what an object can cover
_SPECK_SHARE = 0.02
_GRID = 7  # clicks along each side
_MIN_SCORE = 0.6
_MIN_STABILITY = 0.4  # IoU of the masks at a lower and a higher threshold
_SPREAD = 0.15
_SAME_IOU = 0.5

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundObject:
    """An object that nobody clicked on.

    Attributes:
        mask: bool `[H, W]`.
        score: How sure the finder is, 0..1.
        label: What it is, None where the finder does not know.
    """

    mask: Mask
    score: float
    label: str | None = None


class Finder(ABC):
    """An image -> the objects on it, surest first."""

    @property
    @abstractmethod
    def version(self) -> str:
        """What answers carry as their model version."""

    @abstractmethod
    def find(self, image: NDArray[np.uint8], within: Mask | None = None) -> list[FoundObject]:
        """Return the objects of an image.

        Args:
            image: RGB uint8 `[H, W, 3]`.
            within: What has changed since the objects were found, bool `[H, W]`; those that do
                not reach into it may be left out. None for a new image.
        """


class ClickFinder(Finder):
    """A segmenter with automatic clicks on a grid, each on what no object covers yet.

    An object counts where the segmenter is sure of it, and where its mask hardly depends on the
    threshold.
    """

    def __init__(self, segmenter: Segmenter, *, grid: int = _GRID) -> None:
        self._segmenter = segmenter
        self._grid = grid

    @property
    def version(self) -> str:
        """The segmenter's."""
        return self._segmenter.version

    @property
    def segmenter(self) -> Segmenter:
        """What is clicked with."""
        return self._segmenter

    def find(self, image: NDArray[np.uint8], within: Mask | None = None) -> list[FoundObject]:
        """Return the objects, see `Finder.find`."""
        height, width = image.shape[:2]
        objects: list[FoundObject] = []
        for x, y in _from_the_middle(self._grid):
            click = Click(x=x * width, y=y * height)
            if within is not None and not within[int(click.y), int(click.x)]:
                continue
            if any(earlier.mask[int(click.y), int(click.x)] for earlier in objects):
                continue
            candidate = self._at(image, click)
            if candidate is None:
                continue
            if all(mask_iou(candidate.mask, earlier.mask) < _SAME_IOU for earlier in objects):
                objects.append(candidate)
        return sorted(objects, key=lambda found_object: -found_object.score)

    def _at(self, image: NDArray[np.uint8], click: Click) -> FoundObject | None:
        prediction = self._segmenter.segment(image, [click])
        score = prediction.score
        if score < _MIN_SCORE:
            return None
        probability = prediction.probability_map
        wide, narrow = (probability > MASK_THRESHOLD + x for x in (-_SPREAD, _SPREAD))
        stability = mask_iou(wide, narrow)
        mask = remove_specks(prediction.runs, [click], share=_SPECK_SHARE).mask()
        if stability < _MIN_STABILITY or not _MIN_SHARE <= mask.mean() <= _MAX_SHARE:
            return None
        return FoundObject(mask=mask, score=float(score * stability))


class DeepLabFinder(Finder):
    """Torchvision's DeepLabV3 with ResNet-101: each connected part of a VOC class is an object.

    Source: Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation" (2017).
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        """Load torchvision's weights (COCO images, VOC labels).

        Raises:
            CheckpointError: The file is missing or holds another network.
        """
        from torchvision.models.segmentation import deeplabv3_resnet101

        network = deeplabv3_resnet101(weights=None, weights_backbone=None, aux_loss=True)
        try:
            network.load_state_dict(read_tensors(path))
        except (CheckpointError, RuntimeError) as error:
            reason = reason_of(error)
            raise CheckpointError(f"{path}: expected torchvision's DeepLabV3 ({reason})") from None
        self._network = network.eval().to(device)
        self._device = device
        self._path = path

    @property
    def version(self) -> str:
        """The file's name and the code's number."""
        return with_answers(self._path.stem)

    def find(self, image: NDArray[np.uint8], within: Mask | None = None) -> list[FoundObject]:
        """Return the objects, see `Finder.find`."""
        height, width = image.shape[:2]
        scale = min(_DEEPLAB_PX / min(height, width), math.sqrt(_DEEPLAB_PIXELS / (height * width)))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        with torch.inference_mode():
            logits = self._network(normalised_tensor(small, self._device))["out"]
            chances = F.softmax(logits.float(), dim=1)[0].cpu().numpy()
        objects = _parts(chances.argmax(axis=0), chances, (height, width))
        return sorted(objects, key=lambda found_object: -found_object.score)


def _parts(
    classes: NDArray[np.int64], chances: NDArray[np.float32], shape: tuple[int, int]
) -> Iterator[FoundObject]:
    height, width = shape
    for number in np.unique(classes[classes > 0]):
        _, parts = cv2.connectedComponents((classes == number).astype(np.uint8))
        for part in range(1, int(parts.max()) + 1):
            inside = parts == part
            if inside.mean() < _MIN_SHARE:
                continue
            mask = cv2.resize(
                inside.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
            )
            yield FoundObject(
                mask=mask > 0,
                score=float(chances[number][inside].mean()),
                label=VOC_CLASSES[number],
            )


def _from_the_middle(n: int) -> Sequence[tuple[float, float]]:
    """Centres of the n x n cells of the unit square, those near its middle first."""
    places = [((i + 0.5) / n, (j + 0.5) / n) for j in range(n) for i in range(n)]
    return sorted(places, key=lambda place: (place[0] - 0.5) ** 2 + (place[1] - 0.5) ** 2)
