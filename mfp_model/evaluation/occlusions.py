"""Pictures in which the truth behind an object is known: one object pasted before another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.data.coco import OnProblem, refuse
from mfp_model.evaluation.objects import EvaluationObject, UnreadObject, or_tell
from mfp_model.masks.bounds import bounds_of

_SHARES = (0.25, 0.6)  # how much of the object behind is covered
_MIN_AREA, _MAX_AREA = 0.03, 0.5  # of the image, what the object behind covers
_TRIES = 20

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
