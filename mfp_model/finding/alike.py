"""All like this: one example -> the objects of an image that look like it.

Where an image looks most like the example the segmenter is clicked, on a piece of the image of four
times the example's side. A mask that the piece's edge cuts is part of something else. The others
are ranked by likeness and by how good the segmenter thinks they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.finding.likeness import Example, features_at, likeness_of, mean_in, peaks
from mfp_model.masks.bounds import Bounds
from mfp_model.masks.runs import MaskRuns
from mfp_model.masks.specks import remove_specks
from mfp_model.prompts import Click
from mfp_model.segmenter import Segmenter

MAX_ALIKE = 100
_MAX_TRIES = 150
_CROP = 4.0  # sides of the example
_MIN_CROP_PX = 96
_MIN_LIKENESS, _MIN_IOU = 0.15, 0.3
_AREAS = (0.15, 8.0)  # of the example's
_MAX_CUT = 0.1  # pixels at the piece's edge, by the square root of all: how a mask's side counts
_NOT_AGAIN = 0.5  # of the example's side: how far around a click that gave a cut mask
_MAX_OVERLAP = 0.3  # of a mask, with those that are there or surer
_SPECK_SHARE = 0.02

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlikeObject:
    """An object that looks like the example: its mask, and how sure that is, 0..1."""

    runs: MaskRuns
    score: float


def find_alike(
    segmenter: Segmenter,
    image: NDArray[np.uint8],
    example: Example,
    *,
    taken: Mask | None = None,
    limit: int = MAX_ALIKE,
    turn: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> list[AlikeObject]:
    """Return the objects that look like the example, the surest first.

    Args:
        segmenter: What segments, and tells what an image looks like.
        image: RGB uint8 `[H, W, 3]`, the example's own or another of the same scale.
        example: The example.
        taken: Where objects are already, bool `[H, W]`; nothing is found there.
        limit: Objects at most.
        turn: What each click is computed in; what it raises ends the search.
    """
    height, width = image.shape[:2]
    taken = np.zeros((height, width), dtype=np.bool_) if taken is None else taken
    features = features_at(segmenter, image, example.side_px)
    likeness = likeness_of(features, example.vector) / np.float32(example.likeness)
    cell_px = math.sqrt(height * width / (likeness.shape[0] * likeness.shape[1]))
    seen, candidates, n_tries = taken.copy(), list[tuple[float, Bounds, Mask]](), 0
    for click in peaks(likeness, example.side_px / cell_px, height=height, width=width):
        if seen[int(click.y), int(click.x)]:
            continue
        if n_tries == _MAX_TRIES:
            break
        n_tries += 1
        with turn():
            place, mask, iou = _segmented(segmenter, image, click, example)
        area = int(mask.sum())
        if not area:
            continue
        if _is_cut(mask, place, height=height, width=width):
            centre, radius = (int(click.x), int(click.y)), round(_NOT_AGAIN * example.side_px)
            cv2.circle(seen.view(np.uint8), centre, radius, 1, cv2.FILLED)
            continue
        share = area / example.area
        if share <= _AREAS[1]:
            seen[place.place] |= mask
        alike = mean_in(likeness, place, mask, height=height, width=width)
        if alike >= _MIN_LIKENESS and iou >= _MIN_IOU and _AREAS[0] <= share <= _AREAS[1]:
            candidates.append((min(1.0, alike) * iou, place, mask))
    return list(_chosen(candidates, taken, limit))


def _chosen(
    candidates: list[tuple[float, Bounds, Mask]], taken: Mask, limit: int
) -> Iterator[AlikeObject]:
    """The surest first, each without what others have."""
    there, n_chosen = taken.copy(), 0
    for score, place, mask in sorted(candidates, key=lambda entry: -entry[0]):
        others = there[place.place]
        if n_chosen == limit:
            return
        if (mask & others).sum() > _MAX_OVERLAP * mask.sum():
            continue
        whole = np.zeros_like(taken)
        whole[place.place] = mask & ~others
        others |= mask
        n_chosen += 1
        yield AlikeObject(runs=MaskRuns.of(whole), score=score)


def _segmented(
    segmenter: Segmenter, image: NDArray[np.uint8], click: Click, example: Example
) -> tuple[Bounds, Mask, float]:
    """Where was looked, the mask there, and how good the segmenter thinks it is."""
    height, width = image.shape[:2]
    side = max(_MIN_CROP_PX, round(_CROP * example.side_px))
    left, right = _placed(click.x, side, width)
    top, bottom = _placed(click.y, side, height)
    place = Bounds(left, top, right, bottom)
    inside = Click(x=click.x - left, y=click.y - top)
    prediction = segmenter.segment(np.ascontiguousarray(image[place.place]), [inside])
    mask = remove_specks(prediction.runs, [inside], share=_SPECK_SHARE).mask()
    return place, mask, prediction.score


def _is_cut(mask: Mask, place: Bounds, *, height: int, width: int) -> bool:
    """Whether a mask goes on behind an edge of the piece that is none of the image's."""
    edges = (
        (place.left > 0, mask[:, 0]),
        (place.right < width, mask[:, -1]),
        (place.top > 0, mask[0]),
        (place.bottom < height, mask[-1]),
    )
    n_at_edge = sum(int(edge.sum()) for is_inside, edge in edges if is_inside)
    return n_at_edge > _MAX_CUT * math.sqrt(mask.sum())


def _placed(centre: float, side: int, limit: int) -> tuple[int, int]:
    length = min(side, limit)
    start = min(max(0, round(centre - length / 2)), limit - length)
    return start, start + length
