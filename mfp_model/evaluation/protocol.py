"""The standard protocol: automatic clicks on the largest error until the mask is good enough.

Source: the published evaluation, MFP section 4.2.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfp_model.click_simulation import PixelClick, next_click
from mfp_model.clicks import Click
from mfp_model.errors import DataError
from mfp_model.evaluation.datasets import EvaluationObject
from mfp_model.segmenters import Prediction, Segmenter

MAX_CLICKS = 20
THRESHOLDS = (0.85, 0.90, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResult:
    """IoU after each click, and the seconds that the segmenter took in all."""

    name: str
    ious: tuple[float, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores over all objects.

    Attributes:
        noc: Mean number of clicks until the IoU reaches each threshold, 20 if it never does.
        nof: Number of objects that never reach it.
        miou_at: Mean IoU after 1..20 clicks; an object that is done keeps its last IoU.
        auc: Area under the mean IoU's curve, normalised to 0..1.
        spc_s: Mean seconds per click.
        n_objects: Objects evaluated.
    """

    noc: dict[str, float]
    nof: dict[str, int]
    miou_at: tuple[float, ...]
    auc: float
    spc_s: float
    n_objects: int


def iou(mask: NDArray[np.bool_], truth: NDArray[np.bool_], valid: NDArray[np.bool_]) -> float:
    """Return the intersection over union where `valid`; 1 where both are empty."""
    union = int(((mask | truth) & valid).sum())
    return int((mask & truth & valid).sum()) / union if union else 1.0


def click_object(
    segmenter: Segmenter,
    target: EvaluationObject,
    *,
    goal: float = max(THRESHOLDS),
    jitter_px: float = 0.0,
    generator: np.random.Generator | None = None,
) -> ObjectResult:
    """Return the IoUs after each automatic click, up to 20 or until `goal` is reached.

    Args:
        segmenter: What answers.
        target: What is clicked on.
        goal: The IoU to stop at.
        jitter_px: How far a click may land from the deepest point, as people's do; it stays
            in the same kind of error. 0 for the standard protocol.
        generator: Where the jitter comes from; needed with `jitter_px` above 0.
    """
    clicks: list[Click] = []
    clicked = np.zeros_like(target.truth)
    mask = np.zeros_like(target.truth)
    prediction: Prediction | None = None
    ious: list[float] = []
    seconds = 0.0
    while len(clicks) < MAX_CLICKS and (not ious or ious[-1] < goal):
        found = next_click(target.truth, mask, valid=target.valid, clicked=clicked)
        if found is None:
            break
        if jitter_px > 0:
            assert generator is not None
            found = _jittered(found, target, mask, jitter_px, generator)
        clicked[found.row, found.column] = True
        clicks.append(Click(x=found.column + 0.5, y=found.row + 0.5, is_positive=found.is_positive))
        started = time.perf_counter()
        prediction = segmenter.segment(target.image, clicks, prediction)
        mask = prediction.mask
        seconds += time.perf_counter() - started
        ious.append(iou(mask, target.truth, target.valid))
    return ObjectResult(name=target.name, ious=tuple(ious), seconds=seconds)


def _jittered(
    click: PixelClick,
    target: EvaluationObject,
    mask: NDArray[np.bool_],
    radius: float,
    generator: np.random.Generator,
) -> PixelClick:
    """A random pixel near the click with the same error as there."""
    missed = target.truth & ~mask if click.is_positive else mask & ~target.truth
    reach = int(radius)
    top, left = max(0, click.row - reach), max(0, click.column - reach)
    rows, columns = np.nonzero(
        (missed & target.valid)[top : click.row + reach + 1, left : click.column + reach + 1]
    )
    rows, columns = rows + top, columns + left
    is_near = (rows - click.row) ** 2 + (columns - click.column) ** 2 <= radius**2
    chosen = int(generator.choice(np.flatnonzero(is_near)))
    return PixelClick(
        row=int(rows[chosen]), column=int(columns[chosen]), is_positive=click.is_positive
    )


def score(results: Iterable[ObjectResult]) -> Scores:
    """Return the scores over the objects' results.

    Raises:
        DataError: There is no result.
    """
    collected = [result for result in results if result.ious]
    if not collected:
        raise DataError("nothing to score: no object was clicked")
    curves = np.array(
        [result.ious + (result.ious[-1],) * (MAX_CLICKS - len(result.ious)) for result in collected]
    )
    reached = {threshold: curves >= threshold for threshold in THRESHOLDS}
    mean = curves.mean(axis=0)
    n_clicks = sum(len(result.ious) for result in collected)
    return Scores(
        noc={f"{t:.2f}": float(_clicks_until(reached[t]).mean()) for t in THRESHOLDS},
        nof={f"{t:.2f}": int((~reached[t].any(axis=1)).sum()) for t in THRESHOLDS},
        miou_at=tuple(float(value) for value in mean),
        auc=float(np.trapezoid(mean) / (MAX_CLICKS - 1)),
        spc_s=sum(result.seconds for result in collected) / n_clicks,
        n_objects=len(collected),
    )


def _clicks_until(reached: NDArray[np.bool_]) -> NDArray[np.int64]:
    first = np.asarray(reached.argmax(axis=1), dtype=np.int64) + 1
    return np.where(reached.any(axis=1), first, MAX_CLICKS)
