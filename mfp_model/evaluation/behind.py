"""What segment-and-inpaint brings: the objects found behind others, scored and drawn."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.evaluation.occlusions import Mask, Occlusion
from mfp_model.finding.finders import Finder
from mfp_model.finding.inpainters import Inpainter
from mfp_model.finding.layers import LayeredObject, LayersConfig, find_layers
from mfp_model.masks.bounds import mask_iou

FOUND_IOU = 0.5
_SHEET_HEIGHT_PX = 160


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
