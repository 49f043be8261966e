"""The graph cut's constants, chosen on labelled objects: one after the other, cross-validated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.evaluation.protocol import click_object
from mfp_model.graph_cut.constants import GraphCutConfig
from mfp_model.segmenter import Segmenter

N_CLICKS = 5
SMOOTHNESSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
_AXES: tuple[tuple[str, tuple[float | int | str, ...]], ...] = (
    ("smoothness", SMOOTHNESSES),
    ("way_weight", (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)),
    ("appearance_weight", (0.0, 0.03, 0.1, 0.25, 0.5, 1.0)),
    ("appearance", ("mixtures", "centroids")),
    ("n_refits", (0, 1, 3)),
    ("seed_radius", (0.0, 0.01, 0.02)),  # no more: a small object would be all seed
    ("smoothness", SMOOTHNESSES),  # again, now that all else is chosen: the sweep that is told
)

Make = Callable[[GraphCutConfig], Segmenter]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tuning:
    """What was tried, and what was best.

    Attributes:
        config: The constants with the best mean over all objects.
        score: Its mean IoU over the first five clicks.
        held_out_score: The same on objects that had no say: for each fold, the constants that
            were best on the others.
        sweep: Mean scores by smoothness, all else as in `config`.
        sweep_by_fold: The same for each fold's objects.
        n_tried: How many sets of constants were tried.
    """

    config: GraphCutConfig
    score: float
    held_out_score: float
    sweep: dict[float, float]
    sweep_by_fold: dict[float, tuple[float, ...]]
    n_tried: int


def tune(
    start: GraphCutConfig,
    make: Make,
    objects: Sequence[EvaluationObject],
    *,
    n_folds: int = 4,
    report: Callable[[GraphCutConfig, float], None] = lambda config, score: None,
) -> Tuning:
    """Return the best constants for these objects, changing one constant after the other.

    Args:
        start: Where to begin; its features stay.
        make: Makes the segmenter of some constants.
        objects: Labelled objects; object i is in fold i modulo `n_folds`.
        n_folds: How many parts are held out in turn.
        report: Called with each set of constants and its mean score.
    """
    tried: dict[GraphCutConfig, NDArray[np.float64]] = {}

    def scores(config: GraphCutConfig) -> NDArray[np.float64]:
        if config not in tried:
            segmenter = make(config)
            tried[config] = np.array([_score(segmenter, target) for target in objects])
            report(config, float(tried[config].mean()))
        return tried[config]

    best = start
    for name, values in _AXES:
        changes: list[dict[str, Any]] = [{name: value} for value in values]
        sweep = [dataclasses.replace(best, **change) for change in changes]
        best = max([best, *sweep], key=lambda config: float(scores(config).mean()))
    fold = np.arange(len(objects)) % n_folds
    return Tuning(
        config=best,
        score=float(scores(best).mean()),
        held_out_score=_held_out(np.stack(list(tried.values())), fold),
        sweep={config.smoothness: float(scores(config).mean()) for config in sweep},
        sweep_by_fold={
            config.smoothness: tuple(
                float(scores(config)[fold == index].mean()) for index in np.unique(fold)
            )
            for config in sweep
        },
        n_tried=len(tried),
    )


def _score(segmenter: Segmenter, target: EvaluationObject) -> float:
    ious = click_object(segmenter, target, max_clicks=N_CLICKS).result.ious
    return float(np.mean([*ious, *[ious[-1]] * (N_CLICKS - len(ious))]))


def _held_out(scores: NDArray[np.float64], fold: NDArray[np.int64]) -> float:
    """The mean over the objects of what the constants chosen without their fold reach."""
    reached = np.zeros(scores.shape[1])
    for index in np.unique(fold):
        others = fold != index if (fold != index).any() else fold == index
        chosen = int(scores[:, others].mean(axis=1).argmax())
        reached[fold == index] = scores[chosen, fold == index]
    return float(reached.mean())
