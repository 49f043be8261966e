"""Training samples: a crop around an object, its truth, and sometimes a prior mask."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional

from mfp_model.data.coco import OnProblem, refuse
from mfp_model.data.damage import damaged, jittered_box
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.datasets import TrainingImage, read_dataset
from mfp_model.training.views import random_place, random_view

_MIN_OBJECT_SHARE = 0.0015  # of the crop; smaller targets are drawn again
_TRIES = 8
_IGNORED, _BACKGROUND, _OBJECT = 0, 1, 2  # in targets; the truth has one less


class Sample(NamedTuple):
    """One sample, or a batch of them with an axis more in front.

    Attributes:
        pixels: RGB uint8 `[3, H, W]`.
        truth: int8 `[H, W]`, 1 object, 0 background, -1 ignored.
        prior: uint8 `[H, W]`, what the rounds start from: nothing, a damaged mask or a box.
        is_box: Whether it is a box, to which the first answer comes without a click; bool `[]`.
        n_outside_px: Pixels of the object that lie outside the crop, float32 `[]`.
    """

    pixels: Tensor
    truth: Tensor
    prior: Tensor
    is_box: Tensor
    n_outside_px: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleSource:
    """Images by data set, with the sets' probabilities and those of the images within a set."""

    folders: tuple[list[TrainingImage], ...]
    probabilities: NDArray[np.float64]
    image_probabilities: tuple[NDArray[np.float64], ...]

    @staticmethod
    def read(config: TrainingConfig, *, on_problem: OnProblem = refuse) -> SampleSource:
        """Return the source over a run's data sets, each with its weight; see `read_dataset`."""
        weights = np.array([weight for _, weight in config.folders], dtype=np.float64)
        images = [
            read_dataset(root, min_object_px=config.min_object_px, on_problem=on_problem)
            for root, _ in config.folders
        ]
        return SampleSource._of(images, weights)

    def without(self, paths: Container[Path]) -> SampleSource:
        """Return the source without some image files; a data set may become empty, not all."""
        folders = [[image for image in x if image.path not in paths] for x in self.folders]
        return SampleSource._of(folders, self.probabilities * [bool(folder) for folder in folders])

    @staticmethod
    def _of(folders: list[list[TrainingImage]], weights: NDArray[np.float64]) -> SampleSource:
        heaviest = [np.array([max(image.weights) for image in folder]) for folder in folders]
        return SampleSource(
            folders=tuple(folders),
            probabilities=weights / weights.sum(),
            image_probabilities=tuple(
                odds / odds.sum() if odds.size else odds for odds in heaviest
            ),
        )


class ClickSamples(Dataset[Sample]):
    """Sample i depends on the seed and i alone, so a run can be resumed anywhere."""

    def __init__(self, source: SampleSource, config: TrainingConfig, phase: Phase) -> None:
        self._source = source
        self._config = config
        self._phase = phase

    def __getitem__(self, index: int) -> Sample:
        generator = np.random.default_rng([self._config.seed, index])
        for _ in range(_TRIES):
            pixels, truth, n_outside_px = self._draw(generator)
            if (truth > 0).mean() >= _MIN_OBJECT_SHARE:
                break
        mask = (truth > 0).astype(np.uint8)
        prior, is_box = np.zeros_like(mask), False
        start = generator.random()
        if start < self._config.prior_probability:
            prior = damaged(mask, generator)
        elif start < self._config.prior_probability + self._config.box_probability:
            prior, is_box = jittered_box(mask, generator), True
        channels = torch.from_numpy(pixels).permute(2, 0, 1)
        return Sample(
            pixels=_recoloured(channels, generator).contiguous(),
            truth=torch.from_numpy(truth),
            prior=torch.from_numpy(prior),
            is_box=torch.tensor(is_box),
            n_outside_px=torch.tensor(n_outside_px, dtype=torch.float32),
        )

    def _draw(
        self, generator: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.int8], float]:
        """A crop, its truth, and how many pixels of the object lie outside of it."""
        pixels, target = self._object(generator)
        height, width = self._phase.height, self._phase.width
        view = random_view(target == _OBJECT, height, width, generator)
        border = cv2.BORDER_REFLECT_101 if generator.random() < 0.5 else cv2.BORDER_CONSTANT
        crop, truth = self._warped(pixels, target, view, border)
        n_outside_px = _n_outside(target, view, truth)
        if generator.random() < self._config.paste_probability:
            other_pixels, other = self._object(generator)
            place = random_place(other == _OBJECT, height, width, generator)
            pasted, covered = self._warped(other_pixels, other, place, cv2.BORDER_CONSTANT)
            is_covered = covered == _OBJECT
            opacity = cv2.GaussianBlur(is_covered.astype(np.float32), (3, 3), 0)[..., None]
            crop = (crop * (1 - opacity) + pasted * opacity).astype(np.uint8)
            if generator.random() < 0.5:
                truth = np.where(is_covered, _OBJECT, _BACKGROUND).astype(np.uint8)
                n_outside_px = _n_outside(other, place, covered)
            else:
                truth[is_covered] = _BACKGROUND
        return crop, truth.astype(np.int8) - _BACKGROUND, n_outside_px

    def _warped(
        self,
        pixels: NDArray[np.uint8],
        target: NDArray[np.uint8],
        matrix: NDArray[np.float64],
        border: int,
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        size = (self._phase.width, self._phase.height)
        if abs(np.linalg.det(matrix[:, :2])) < 0.25:  # shrinks by more than half: smooth first,
            pixels = np.asarray(cv2.blur(pixels, (2, 2)), dtype=np.uint8)  # or thin things flicker
        crop = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
        truth = cv2.warpAffine(target, matrix, size, flags=cv2.INTER_NEAREST)
        return np.asarray(crop, dtype=np.uint8), np.asarray(truth, dtype=np.uint8)

    def _object(
        self, generator: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        folder = generator.choice(len(self._source.folders), p=self._source.probabilities)
        images, odds = self._source.folders[folder], self._source.image_probabilities[folder]
        image = images[int(generator.choice(len(images), p=odds))]
        pixels = image.pixels()
        return pixels, self._target(image, pixels.shape[:2], generator)

    def _target(
        self, image: TrainingImage, shape: tuple[int, ...], generator: np.random.Generator
    ) -> NDArray[np.uint8]:
        """One object or two; a view's pixels outside the image become 0, which is ignored."""
        height, width = shape
        odds = np.array(image.weights) * np.array(image.areas) ** self._config.size_power
        n_objects = 2 if generator.random() < self._config.merge_probability else 1
        chosen = generator.choice(len(odds), n_objects, p=odds / odds.sum())
        masks = [image.mask(int(index), height=height, width=width) for index in set(chosen)]
        ignored = image.ignored(height=height, width=width)
        around = np.where(ignored, _IGNORED, _BACKGROUND)
        return np.where(np.any(masks, axis=0), _OBJECT, around).astype(np.uint8)


def _n_outside(
    target: NDArray[np.uint8], matrix: NDArray[np.float64], truth: NDArray[np.uint8]
) -> float:
    """Pixels of the object, as large as the crop shows them, that are not in it."""
    n_object_px = np.count_nonzero(target == _OBJECT) * abs(np.linalg.det(matrix[:, :2]))
    return max(0.0, float(n_object_px - np.count_nonzero(truth == _OBJECT)))


def _recoloured(pixels: Tensor, generator: np.random.Generator) -> Tensor:
    """Brightness, contrast, saturation and colour balance changed a little; sometimes grey."""
    saturation = 0.0 if generator.random() < 0.05 else generator.uniform(0.6, 1.4)
    pixels = functional.adjust_saturation(pixels, saturation)
    pixels = functional.adjust_contrast(pixels, generator.uniform(0.7, 1.3))
    pixels = functional.adjust_brightness(pixels, generator.uniform(0.8, 1.2))
    if generator.random() < 0.1:
        pixels = functional.gaussian_blur(pixels, [5, 5], [generator.uniform(0.4, 1.6)])
    shift = torch.from_numpy(generator.uniform(-12, 12, size=(3, 1, 1)))
    return (pixels + shift).clamp(0, 255).to(torch.uint8)
