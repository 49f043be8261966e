"""The standard protocol: automatic clicks on the largest error until the mask is good enough.

Source: the published evaluation, MFP section 4.2.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mfp_model.data.automatic_clicks import PixelClick, next_click
from mfp_model.evaluation.aims import Aim, exact
from mfp_model.evaluation.mask_metrics import Confusion, boundary_f
from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.masks.bounds import mask_iou
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import Prediction, mask_prediction
from mfp_model.prompts import Click
from mfp_model.segmenter import Segmenter

MAX_CLICKS = 20
THRESHOLDS = (0.85, 0.90, 0.95)
MEASURED_AFTER = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResult:
    """What an object's clicks led to.

    Attributes:
        name: The object's.
        ious: IoU after each click.
        seconds: What the segmenter took in all.
        confusion: Of the mask after `MEASURED_AFTER` clicks, or the last one.
        boundary_f: Of the same mask.
        n_object_px: The object's size.
        obeyed: For each click whether the answer to it does what it says.
        n_earlier: Pairs of an answer and a click before its newest one.
        n_earlier_obeyed: Those in which the answer still does what that click says.
    """

    name: str
    ious: tuple[float, ...]
    seconds: float
    confusion: Confusion
    boundary_f: float
    n_object_px: int
    obeyed: tuple[bool, ...]
    n_earlier: int
    n_earlier_obeyed: int

    @property
    def largest_fall(self) -> float:
        """How much the IoU fell after a click, at most; 0 where it never did."""
        return max([0.0, *(before - after for before, after in pairwise(self.ious))])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClickedObject:
    """An object's result, with what there is to show of it.

    Attributes:
        result: What its clicks led to.
        clicks: Those that led to the mask.
        mask: The one that was measured, bool `[H, W]`.
    """

    result: ObjectResult
    clicks: tuple[Click, ...]
    mask: NDArray[np.bool_]


def click_object(
    segmenter: Segmenter,
    target: EvaluationObject,
    *,
    prior: NDArray[np.bool_] | None = None,
    goal: float = max(THRESHOLDS),
    max_clicks: int = MAX_CLICKS,
    aim: Aim = exact,
) -> ClickedObject:
    """Return what automatic clicks lead to, made until `goal` is reached.

    Args:
        segmenter: What answers.
        target: What is clicked on.
        prior: The mask to start from, bool `[H, W]`; None for nothing.
        goal: The IoU to stop at.
        max_clicks: No object gets more.
        aim: Where a click lands; exactly where the standard protocol says by default.
    """
    clicks: list[Click] = []
    clicked = np.zeros_like(target.truth)
    measured = mask = np.zeros_like(target.truth) if prior is None else prior
    prediction: Prediction | None = mask_prediction(MaskRuns.of(mask)) if mask.any() else None
    ious: list[float] = []
    obeyed: list[list[bool]] = []
    seconds = 0.0
    while len(clicks) < max_clicks and (not ious or ious[-1] < goal):
        pixel_click = _aimed(target, mask, clicked, aim)
        if pixel_click is None:
            break
        clicked[pixel_click.row, pixel_click.column] = True
        clicks.append(pixel_click.click)
        started = time.perf_counter()
        prediction = segmenter.segment(target.image, clicks, prediction)
        mask = prediction.mask
        seconds += time.perf_counter() - started
        ious.append(mask_iou(mask, target.truth, target.valid))
        obeyed.append([_is_obeyed(click, mask) for click in clicks])
        if len(clicks) <= MEASURED_AFTER:
            measured = mask
    result = _result(target, ious, obeyed, measured, seconds)
    return ClickedObject(result=result, clicks=tuple(clicks[:MEASURED_AFTER]), mask=measured)


def _result(
    target: EvaluationObject,
    ious: list[float],
    obeyed: list[list[bool]],
    measured: NDArray[np.bool_],
    seconds: float,
) -> ObjectResult:
    return ObjectResult(
        name=target.name,
        ious=tuple(ious),
        seconds=seconds,
        confusion=Confusion.of(measured, target.truth, target.valid),
        boundary_f=boundary_f(measured, target.truth, target.valid),
        n_object_px=int(target.truth.sum()),
        obeyed=tuple(answers[-1] for answers in obeyed),
        n_earlier=sum(len(answers) - 1 for answers in obeyed),
        n_earlier_obeyed=sum(sum(answers[:-1]) for answers in obeyed),
    )


def _aimed(
    target: EvaluationObject, mask: NDArray[np.bool_], clicked: NDArray[np.bool_], aim: Aim
) -> PixelClick | None:
    """The next click, where it lands; None where no error is left."""
    deepest = next_click(target.truth, mask, valid=target.valid, clicked=clicked)
    if deepest is None:
        return None
    errors = (target.truth != mask) & (target.truth == deepest.is_positive) & target.valid
    return aim(deepest, errors)


def _is_obeyed(click: Click, mask: NDArray[np.bool_]) -> bool:
    return bool(mask[int(click.y), int(click.x)]) == click.is_positive
