"""Scores over many objects' results.

Source: the published evaluation, MFP section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mfp_model.errors import DataError
from mfp_model.evaluation.mask_metrics import Confusion
from mfp_model.evaluation.protocol import MAX_CLICKS, MEASURED_AFTER, THRESHOLDS, ObjectResult

SIZES = {"small": 32**2, "medium": 96**2, "large": 2**62}
"""Objects by size: fewer pixels than this. Source: COCO's evaluation."""
_LARGE_FALL = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores over all objects.

    Attributes:
        noc: Mean number of clicks until the IoU reaches each threshold, 20 if it never does; only
            of those up to which was clicked.
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
        newest_obeyed: Share of the answers that do what their newest click says.
        all_obeyed: Share of all pairs of an answer and a click so far in which it is obeyed.
        largest_fall: How much an object's IoU fell after a click, at most.
        n_large_falls: Clicks after which it fell by more than 0.1.
        noc_by_size: `noc` of the objects of each size, see `SIZES`.
        n_by_size: How many objects of each size there are.
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
    newest_obeyed: float = 0.0
    all_obeyed: float = 0.0
    largest_fall: float = 0.0
    n_large_falls: int = 0
    noc_by_size: dict[str, dict[str, float]] = field(default_factory=dict)
    n_by_size: dict[str, int] = field(default_factory=dict)
    n_objects: int


def score(results: Iterable[ObjectResult], *, goal: float = max(THRESHOLDS)) -> Scores:
    """Return the scores over the objects' results.

    Args:
        results: What `click_object` returned.
        goal: The IoU at which it stopped; nothing is said of higher thresholds.

    Raises:
        DataError: There is no result.
    """
    collected = [result for result in results if result.ious]
    if not collected:
        raise DataError("nothing to score: no object was clicked")
    curves = np.array(
        [result.ious + (result.ious[-1],) * (MAX_CLICKS - len(result.ious)) for result in collected]
    )
    thresholds = [threshold for threshold in THRESHOLDS if threshold <= goal]
    mean = curves.mean(axis=0)
    n_clicks = sum(len(result.ious) for result in collected)
    n_obeyed = sum(sum(result.obeyed) for result in collected)
    n_earlier = sum(result.n_earlier for result in collected)
    n_earlier_obeyed = sum(result.n_earlier_obeyed for result in collected)
    falls = [before - after for x in collected for before, after in pairwise(x.ious)]
    sizes = np.array([size_of(result.n_object_px) for result in collected])
    return Scores(
        noc=_noc(curves, thresholds),
        nof={f"{t:.2f}": int((curves < t).all(axis=1).sum()) for t in thresholds},
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
        newest_obeyed=n_obeyed / n_clicks,
        all_obeyed=(n_obeyed + n_earlier_obeyed) / (n_clicks + n_earlier),
        largest_fall=max([0.0, *falls]),
        n_large_falls=sum(fall > _LARGE_FALL for fall in falls),
        noc_by_size={
            size: _noc(curves[sizes == size], thresholds) for size in SIZES if size in sizes
        },
        n_by_size={size: int((sizes == size).sum()) for size in SIZES},
        n_objects=len(collected),
    )


def size_of(n_object_px: int) -> str:
    """Return the name of an object's size, see `SIZES`."""
    return next(size for size, limit in SIZES.items() if n_object_px < limit)


def _noc(curves: NDArray[np.float64], thresholds: Sequence[float]) -> dict[str, float]:
    return {f"{t:.2f}": float(_clicks_until(curves >= t).mean()) for t in thresholds}


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
