"""What segment-and-inpaint brings: pictures in which the truth behind an object is known."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.data.coco import OnProblem, refuse
from mfp_model.evaluation.objects import EvaluationObject, UnreadObject, or_tell
from mfp_model.finding.finders import Finder
from mfp_model.finding.inpainters import Inpainter
from mfp_model.finding.layers import LayeredObject, LayersConfig, find_layers
from mfp_model.masks.bounds import bounds_of, mask_iou

FOUND_IOU = 0.5
_SHARES = (0.25, 0.6)  # how much of the object behind is covered
_MIN_AREA, _MAX_AREA = 0.03, 0.5  # of the image, what the object behind covers
_TRIES = 20
_SHEET_HEIGHT_PX = 160

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Occlusion:
    """A photo with an object of another photo pasted in front of its own.

    Attributes:
        name: For reports.
        image: RGB uint8 `[H, W, 3]`.
        behind: The whole object behind, bool `[H, W]`.
        front: The object in front, bool `[H, W]`.
    """

    name: str
    image: NDArray[np.uint8]
    behind: Mask
    front: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class BehindScores:
    """Means over all pictures.

    Attributes:
        found_share: Share of the objects behind with a found object of IoU 0.5 or more with the
            whole of it.
        mean_iou: Mean of the best IoU with the whole object behind.
        hidden_recall: Share of the covered pixels that the best object has.
        seconds: Median for a picture.
        n_objects: Mean number of objects returned.
    """

    found_share: float
    mean_iou: float
    hidden_recall: float
    seconds: float
    n_objects: float


def occlusions(
    objects: Iterable[UnreadObject],
    n: int,
    generator: np.random.Generator,
    *,
    on_problem: OnProblem = refuse,
) -> Iterator[Occlusion]:
    """Yield pictures made of pairs of objects, each of which covers part of the other.

    Args:
        objects: Labelled objects; those too small or too large are passed over. Only those that
            are drawn are read.
        n: How many.
        generator: Where the randomness comes from.
        on_problem: Told of each drawn object that is damaged; others take its place.
    """
    fit = [x for x in objects if _MIN_AREA <= x.truth().mean() <= _MAX_AREA]
    n_made = 0
    for _ in range(n * _TRIES if len(fit) > 1 else 0):
        if n_made == n:
            return
        drawn = [fit[i] for i in generator.choice(len(fit), 2, replace=False)]
        for made in or_tell(partial(_read_and_pasted, drawn, generator), on_problem):
            if made is not None:
                n_made += 1
                yield made


def _read_and_pasted(
    drawn: Iterable[UnreadObject], generator: np.random.Generator
) -> Occlusion | None:
    scene, front = (x.read() for x in drawn)
    return _pasted(scene, front, generator)


def _pasted(
    scene: EvaluationObject, front: EvaluationObject, generator: np.random.Generator
) -> Occlusion | None:
    """The front's object at the size and place that covers enough of the scene's, or None."""
    bounds = bounds_of(front.truth)
    assert bounds is not None, "the object has pixels"
    cutout, shape = front.image[bounds.place], front.truth[bounds.place].astype(np.float32)
    scale = np.sqrt(scene.truth.sum() / shape.sum()) * generator.uniform(0.6, 1.0)
    height, width = scene.truth.shape
    inside = np.argwhere(scene.truth)
    row, column = inside[generator.integers(len(inside))]
    matrix = np.array(
        [
            [scale, 0, column - scale * shape.shape[1] / 2],
            [0, scale, row - scale * shape.shape[0] / 2],
        ]
    )
    opacity = cv2.warpAffine(shape, matrix, (width, height), flags=cv2.INTER_LINEAR)[..., None]
    pixels = cv2.warpAffine(cutout, matrix, (width, height), flags=cv2.INTER_LINEAR)
    covers = opacity[..., 0] > 0.5
    share = (covers & scene.truth).sum() / scene.truth.sum()
    if not _SHARES[0] <= share <= _SHARES[1]:
        return None
    return Occlusion(
        name=f"{front.name} before {scene.name}",
        image=(scene.image * (1 - opacity) + pixels * opacity).round().astype(np.uint8),
        behind=scene.truth,
        front=covers,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BehindResult:
    """What was found on one picture, and how long it took."""

    picture: Occlusion
    layers: list[LayeredObject]
    seconds: float

    @property
    def best(self) -> Mask:
        """The found mask with the highest IoU with the object behind."""
        empty = np.zeros_like(self.picture.behind)
        masks = [empty, *(layer.whole.mask for layer in self.layers)]
        return max(masks, key=lambda mask: mask_iou(mask, self.picture.behind))


def look_behind(
    pictures: Iterable[Occlusion], finder: Finder, inpainter: Inpainter, config: LayersConfig
) -> Iterator[BehindResult]:
    """Yield what is found on each picture, in front and behind."""
    for picture in pictures:
        started = time.perf_counter()
        layers = find_layers(picture.image, finder, inpainter, config)
        yield BehindResult(picture=picture, layers=layers, seconds=time.perf_counter() - started)


def behind_scores(collected: Sequence[BehindResult]) -> BehindScores:
    """Return the scores of at least one picture."""
    ious = [mask_iou(result.best, result.picture.behind) for result in collected]
    hidden = [result.picture.behind & result.picture.front for result in collected]
    recalls = [
        (result.best & part).sum() / part.sum()
        for result, part in zip(collected, hidden, strict=True)
    ]
    return BehindScores(
        found_share=float(np.mean([iou >= FOUND_IOU for iou in ious])),
        mean_iou=float(np.mean(ious)),
        hidden_recall=float(np.mean(recalls)),
        seconds=float(np.median([result.seconds for result in collected])),
        n_objects=float(np.mean([len(result.layers) for result in collected])),
    )


def sheet(pairs: Sequence[tuple[BehindResult, BehindResult]]) -> NDArray[np.uint8]:
    """Return a picture RGB uint8: a row each with picture, truth, and what was found of both.

    Args:
        pairs: What was found without and with looking behind, on the same picture.
    """
    rows = []
    for without, with_it in pairs:
        picture = without.picture
        tiles = [
            picture.image,
            _tinted(picture.image, picture.behind, picture.front),
            _tinted(picture.image, without.best, picture.front),
            _tinted(picture.image, with_it.best, picture.front),
        ]
        rows.append(np.hstack([_at_height(tile) for tile in tiles]))
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in rows
    ]
    return np.vstack(padded)


def _tinted(image: NDArray[np.uint8], mask: Mask, front: Mask) -> NDArray[np.uint8]:
    """Blue where the mask is seen, orange where it goes on behind the front object."""
    tinted = image.astype(np.float32)
    for part, colour in ((mask & ~front, (30, 110, 255)), (mask & front, (255, 140, 0))):
        tinted[part] = 0.4 * tinted[part] + 0.6 * np.array(colour)
    return tinted.astype(np.uint8)


def _at_height(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    width = max(1, round(tile.shape[1] * _SHEET_HEIGHT_PX / tile.shape[0]))
    resized = cv2.resize(tile, (width, _SHEET_HEIGHT_PX), interpolation=cv2.INTER_AREA)
    return np.pad(np.asarray(resized, np.uint8), ((0, 0), (0, 4), (0, 0)), constant_values=255)
