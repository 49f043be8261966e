"""The standard protocol: automatic clicks on the largest error until the mask is good enough.

Source: the published evaluation, MFP section 4.2.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from mfp_model.data.automatic_clicks import PixelClick, next_click
from mfp_model.errors import DataError
from mfp_model.evaluation.datasets import EvaluationObject
from mfp_model.evaluation.metrics import Confusion, boundary_f
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Click
from mfp_model.segmenters import Prediction, Segmenter, mask_prediction

MAX_CLICKS = 20
THRESHOLDS = (0.85, 0.90, 0.95)
MEASURED_AFTER = 5

Show = Callable[[EvaluationObject, Sequence[Click], NDArray[np.bool_]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResult:
    """What an object's clicks led to.

    Attributes:
        name: The object's.
        ious: IoU after each click.
        seconds: What the segmenter took in all.
        confusion: Of the mask after `MEASURED_AFTER` clicks, or the last one.
        boundary_f: Of the same mask.
    """

    name: str
    ious: tuple[float, ...]
    seconds: float
    confusion: Confusion
    boundary_f: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores over all objects.

    Attributes:
        noc: Mean number of clicks until the IoU reaches each threshold, 20 if it never does.
        nof: Number of objects that never reach it.
        miou_at: Mean IoU after 1..20 clicks; an object that is done keeps its last IoU.
        auc: Area under the mean IoU's curve, normalised to 0..1.
        spc_s: Mean seconds per click.
        median_ms: Median over the objects of their mean milliseconds per click.
        after_clicks: The number of clicks after which the rest was measured, at most.
        boundary_f: Mean F-score of the boundary.
        dice: Mean Dice coefficient.
        precision: Mean share of the mask that is object.
        recall: Mean share of the object that is in the mask.
        accuracy: Mean share of the pixels that are right.
        confusion: Mean shares of an image's pixels, by truth and mask.
        n_objects: Objects evaluated.

    The scores from `median_ms` on are 0 in reports that were written before they were taken.
    """

    noc: dict[str, float]
    nof: dict[str, int]
    miou_at: tuple[float, ...]
    auc: float
    spc_s: float
    median_ms: float = 0.0
    after_clicks: int = MEASURED_AFTER
    boundary_f: float = 0.0
    dice: float = 0.0
    precision: float = 0.0
    recall: float = 0.0
    accuracy: float = 0.0
    confusion: dict[str, float] = field(default_factory=dict)
    n_objects: int


def iou(mask: NDArray[np.bool_], truth: NDArray[np.bool_], valid: NDArray[np.bool_]) -> float:
    """Return the intersection over union where `valid`; 1 where both are empty."""
    union = int(((mask | truth) & valid).sum())
    return int((mask & truth & valid).sum()) / union if union else 1.0


def click_object(
    segmenter: Segmenter,
    target: EvaluationObject,
    *,
    prior: NDArray[np.bool_] | None = None,
    goal: float = max(THRESHOLDS),
    max_clicks: int = MAX_CLICKS,
    jitter_px: float = 0.0,
    generator: np.random.Generator | None = None,
    show: Show = lambda target, clicks, mask: None,
) -> ObjectResult:
    """Return the IoUs after each automatic click, until `goal` is reached.

    Args:
        segmenter: What answers.
        target: What is clicked on.
        prior: The mask to start from, bool `[H, W]`; None for nothing.
        goal: The IoU to stop at.
        max_clicks: No object gets more.
        jitter_px: How far a click may land from the deepest point, as people's do; it stays
            in the same kind of error. 0 for the standard protocol.
        generator: Where the jitter comes from; None for none.
        show: Called with the mask that is measured and the clicks that led to it.
    """
    clicks: list[Click] = []
    clicked = np.zeros_like(target.truth)
    measured = mask = np.zeros_like(target.truth) if prior is None else prior
    prediction: Prediction | None = mask_prediction(MaskRuns.of(mask)) if mask.any() else None
    ious: list[float] = []
    seconds = 0.0
    while len(clicks) < max_clicks and (not ious or ious[-1] < goal):
        found = next_click(target.truth, mask, valid=target.valid, clicked=clicked)
        if found is None:
            break
        if generator is not None:
            found = _jittered(found, target, mask, jitter_px, generator)
        clicked[found.row, found.column] = True
        clicks.append(found.click)
        started = time.perf_counter()
        prediction = segmenter.segment(target.image, clicks, prediction)
        mask = prediction.mask
        seconds += time.perf_counter() - started
        ious.append(iou(mask, target.truth, target.valid))
        if len(clicks) <= MEASURED_AFTER:
            measured = mask
    show(target, clicks[:MEASURED_AFTER], measured)
    return ObjectResult(
        name=target.name,
        ious=tuple(ious),
        seconds=seconds,
        confusion=Confusion.of(measured, target.truth, target.valid),
        boundary_f=boundary_f(measured, target.truth, target.valid),
    )


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
        median_ms=float(np.median([1000 * x.seconds / len(x.ious) for x in collected])),
        after_clicks=MEASURED_AFTER,
        boundary_f=float(np.mean([result.boundary_f for result in collected])),
        dice=float(np.mean([result.confusion.dice for result in collected])),
        precision=float(np.mean([result.confusion.precision for result in collected])),
        recall=float(np.mean([result.confusion.recall for result in collected])),
        accuracy=float(np.mean([result.confusion.accuracy for result in collected])),
        confusion=_mean_shares([result.confusion for result in collected]),
        n_objects=len(collected),
    )


def _clicks_until(reached: NDArray[np.bool_]) -> NDArray[np.int64]:
    first = np.asarray(reached.argmax(axis=1), dtype=np.int64) + 1
    return np.where(reached.any(axis=1), first, MAX_CLICKS)


def _mean_shares(confusions: Sequence[Confusion]) -> dict[str, float]:
    """Each entry's mean share of the pixels that count, every image alike."""
    tables = [asdict(confusion) for confusion in confusions]
    shares = [
        {name: n / max(1, sum(table.values())) for name, n in table.items()} for table in tables
    ]
    return {name: float(np.mean([share[name] for share in shares])) for name in shares[0]}
