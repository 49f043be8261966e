"""Clicks needed to mend a mask that is there already, against those for drawing it anew."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfp_model.data.damage import DAMAGES
from mfp_model.errors import DataError
from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.evaluation.protocol import MAX_CLICKS, click_object
from mfp_model.masks.bounds import mask_iou
from mfp_model.segmenter import Segmenter

_SCRATCH = "from scratch"
_GOAL = 0.90
_GOALS = (0.85, 0.90)
_TRIES = 20
_DAMAGED_IOU = 0.97  # a prior as good as this is damaged again

IouCurve = tuple[float, ...]  # IoU before the first click, after it, ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EditScores:
    """Scores of one kind of damage.

    Attributes:
        prior_iou: Mean IoU before the first click, 0 from scratch.
        miou_at: Mean IoU after 1, 2 and 3 clicks; an object that is done, at 0.90, keeps its last.
        fell: Share of the objects clicked on whose first click made the IoU worse.
        noc: Mean number of clicks until the IoU reaches each threshold: 0 where the prior does,
            20 where it never does.
        n_objects: Objects.
    """

    prior_iou: float
    miou_at: tuple[float, float, float]
    fell: float
    noc: dict[str, float]
    n_objects: int


def edit_object(segmenter: Segmenter, target: EvaluationObject) -> dict[str, IouCurve]:
    """Return a curve for each kind of damage to a mask, that of starting from scratch last.

    Args:
        segmenter: One that edits masks.
        target: What is damaged, and mended by automatic clicks.

    Raises:
        PromptError: The segmenter cannot edit masks.
    """
    curves: dict[str, IouCurve] = {}
    for kind in (*DAMAGES, _SCRATCH):
        prior = None if kind == _SCRATCH else _damaged(kind, target)
        before = 0.0 if prior is None else mask_iou(prior, target.truth, target.valid)
        ious: tuple[float, ...] = ()
        if before < _GOAL:  # else nobody would click
            ious = click_object(segmenter, target, prior=prior, goal=_GOAL).result.ious
        curves[kind] = (before, *ious)
    return curves


def score_edits(edited_objects: Iterable[dict[str, IouCurve]]) -> dict[str, EditScores]:
    """Return the scores over what `edit_object` returned, by kind of damage.

    Raises:
        DataError: There is no object.
    """
    objects = list(edited_objects)
    if not objects:
        raise DataError("nothing to score: there is no object")
    return {kind: _scores([curves[kind] for curves in objects]) for kind in objects[0]}


def _damaged(kind: str, target: EvaluationObject) -> NDArray[np.bool_]:
    """The truth with this damage, the same at every call."""
    generator = np.random.default_rng(zlib.crc32(f"{kind} {target.name}".encode()))
    truth = np.ascontiguousarray(target.truth, dtype=np.uint8)
    for _ in range(_TRIES):
        prior = DAMAGES[kind](truth, generator) > 0
        if prior.any() and mask_iou(prior, target.truth, target.valid) < _DAMAGED_IOU:
            break
    return np.asarray(prior, dtype=np.bool_)


def _scores(of_kind: list[IouCurve]) -> EditScores:
    curves = np.array([curve + curve[-1:] * (MAX_CLICKS + 1 - len(curve)) for curve in of_kind])
    clicked = [curve for curve in of_kind if len(curve) > 1]
    first, second, third = (float(value) for value in curves[:, 1:4].mean(axis=0))
    return EditScores(
        prior_iou=float(curves[:, 0].mean()),
        miou_at=(first, second, third),
        fell=float(np.mean([curve[1] < curve[0] for curve in clicked])) if clicked else 0.0,
        noc={f"{goal:.2f}": _noc(curves >= goal) for goal in _GOALS},
        n_objects=len(of_kind),
    )


def _noc(reached: NDArray[np.bool_]) -> float:
    return float(np.where(reached.any(axis=1), reached.argmax(axis=1), MAX_CLICKS).mean())


def as_table(scores: dict[str, EditScores]) -> str:
    """Return the scores as a Markdown table."""
    lines = [
        "| start | IoU before | after 1, 2, 3 clicks | first click harms | NoC@85 | NoC@90 |",
        "|---|---|---|---|---|---|",
    ]
    for kind, score in scores.items():
        after = ", ".join(f"{value:.3f}" for value in score.miou_at)
        noc = " | ".join(f"{value:.2f}" for value in score.noc.values())
        lines.append(f"| {kind} | {score.prior_iou:.3f} | {after} | {score.fell:.0%} | {noc} |")
    return "\n".join(lines)
