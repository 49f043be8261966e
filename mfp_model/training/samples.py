"""Training samples: a crop around an object, its truth, and sometimes a prior mask."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional

from mfp_model.priors import damaged
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.datasets import TrainingImage, read_dataset

_MIN_OBJECT_SHARE = 0.004  # of the crop; smaller targets are drawn again
_TRIES = 8
_IGNORED, _BACKGROUND, _OBJECT = 0, 1, 2  # in targets; the truth has one less

Sample = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleSource:
    """Images by data set, with the sets' probabilities and those of the images within a set."""

    folders: tuple[list[TrainingImage], ...]
    probabilities: NDArray[np.float64]
    image_probabilities: tuple[NDArray[np.float64], ...]

    @staticmethod
    def read(config: TrainingConfig) -> SampleSource:
        """Return the source over a run's data sets, each with its weight."""
        weights = np.array([weight for _, weight in config.folders], dtype=np.float64)
        images = [
            read_dataset(root, min_object_px=config.min_object_px) for root, _ in config.folders
        ]
        heaviest = [np.array([max(image.weights) for image in folder]) for folder in images]
        return SampleSource(
            folders=tuple(images),
            probabilities=weights / weights.sum(),
            image_probabilities=tuple(odds / odds.sum() for odds in heaviest),
        )


class ClickSamples(Dataset[Sample]):
    """Sample i: pixels uint8 `[3, H, W]`, truth int8 `[H, W]`, prior mask uint8 `[H, W]`.

    The prior mask is all zero for a sample that starts from nothing. Sample i depends on the
    seed and i alone, so a run can be resumed anywhere.
    """

    def __init__(self, source: SampleSource, config: TrainingConfig, phase: Phase) -> None:
        self._source = source
        self._config = config
        self._phase = phase

    def __getitem__(self, index: int) -> Sample:
        generator = np.random.default_rng([self._config.seed, index])
        for _ in range(_TRIES):
            pixels, truth = self._draw(generator)
            if (truth > 0).mean() >= _MIN_OBJECT_SHARE:
                break
        prior = np.zeros(truth.shape, dtype=np.uint8)
        if generator.random() < self._config.prior_probability:
            prior = damaged((truth > 0).astype(np.uint8), generator)
        channels = torch.from_numpy(pixels).permute(2, 0, 1)
        recoloured = _recoloured(channels, generator).contiguous()
        return recoloured, torch.from_numpy(truth), torch.from_numpy(prior)

    def _draw(self, generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
        pixels, target = self._object(generator)
        height, width = self._phase.height, self._phase.width
        view = _random_view(target == _OBJECT, height, width, generator)
        border = cv2.BORDER_REFLECT_101 if generator.random() < 0.5 else cv2.BORDER_CONSTANT
        crop, truth = self._warped(pixels, target, view, border)
        if generator.random() < self._config.paste_probability:
            other_pixels, other = self._object(generator)
            place = _random_place(other == _OBJECT, height, width, generator)
            pasted, covered = self._warped(other_pixels, other, place, cv2.BORDER_CONSTANT)
            is_covered = covered == _OBJECT
            opacity = cv2.GaussianBlur(is_covered.astype(np.float32), (3, 3), 0)[..., None]
            crop = (crop * (1 - opacity) + pasted * opacity).astype(np.uint8)
            if generator.random() < 0.5:
                truth = np.where(is_covered, _OBJECT, _BACKGROUND).astype(np.uint8)
            else:
                truth[is_covered] = _BACKGROUND
        return crop, truth.astype(np.int8) - _BACKGROUND

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


def _random_view(
    target: NDArray[np.bool_], rows: int, columns: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """A 2x3 matrix from image to crop: around the object, or of much of the image."""
    height, width = target.shape
    ys, xs = np.flatnonzero(target.any(axis=1)), np.flatnonzero(target.any(axis=0))
    if ys.size == 0:
        ys, xs = np.arange(height), np.arange(width)
    box = np.array([xs[0], ys[0], xs[-1] + 1, ys[-1] + 1], dtype=np.float64)
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
    size = np.array([columns, rows])
    scale = size / extent * np.array([1 if generator.random() < 0.5 else -1, 1])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.diag(scale) @ turn
    return np.hstack([linear, (size / 2 - linear @ centre)[:, None]])


def _random_place(
    target: NDArray[np.bool_], rows: int, columns: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """A 2x3 matrix that puts an object somewhere, at 0.2 to 0.7 of the crop's size."""
    ys, xs = np.flatnonzero(target.any(axis=1)), np.flatnonzero(target.any(axis=0))
    low, high = np.array([xs[0], ys[0]]), np.array([xs[-1], ys[-1]])
    size = np.array([columns, rows])
    scale = float((generator.uniform(0.2, 0.7) * size / (high - low + 1)).min())
    flip = np.array([1 if generator.random() < 0.5 else -1, 1])
    linear = np.diag(scale * flip)
    offset = generator.uniform(0.1, 0.9, size=2) * size - linear @ ((low + high) / 2)
    return np.hstack([linear, offset[:, None]])


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
