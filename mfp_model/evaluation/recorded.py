"""Real clicks as a benchmark: recorded sequences replayed against any segmenter.

No click is simulated: whatever the segmenter answers, the next click is the one that a person
made, seeing another answer. So what was saved, and the clicks, lean towards the version that was
served then; between two others the comparison is fair.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfp_model.errors import DataError
from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.masks.bounds import mask_iou
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import Prediction, mask_prediction
from mfp_model.segmenter import Segmenter

N_CURVE = 10  # clicks that scores are told after
_GOALS = (0.85, 0.90)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedScores:
    """Scores over recorded objects.

    Attributes:
        miou_at: Mean IoU after 1..10 real clicks; an object without more keeps its last.
        final_iou: Mean IoU after each object's last click.
        reached: Share of the objects whose answer was ever as good as each IoU.
        n_objects: Objects replayed.
        n_clicks: Clicks replayed.
    """

    miou_at: tuple[float, ...]
    final_iou: float
    reached: dict[str, float]
    n_objects: int
    n_clicks: int

    @property
    def mean_iou(self) -> float:
        """Mean over the curve of 1 to 10 clicks."""
        return float(np.mean(self.miou_at))

    @staticmethod
    def from_json(entry: dict[str, Any]) -> RecordedScores:
        """Return what `dataclasses.asdict` told."""
        return RecordedScores(**{**entry, "miou_at": tuple(entry["miou_at"])})


def ious_after_clicks(segmenter: Segmenter, target: EvaluationObject) -> list[float]:
    """Return the IoU after each real click; nothing for an object without any.

    Raises:
        PromptError: A click lies outside the image, or the segmenter cannot edit masks and
            this object began with one.
    """
    previous: Prediction | None = None
    if target.prior is not None:
        previous = mask_prediction(MaskRuns.of(target.prior))
    ious = []
    for n_clicks in range(1, len(target.clicks) + 1):
        previous = segmenter.segment(target.image, target.clicks[:n_clicks], previous)
        ious.append(mask_iou(previous.mask, target.truth, target.valid))
    return ious


def score_curves(replayed: Iterable[list[float]]) -> RecordedScores:
    """Return the scores over what `ious_after_clicks` returned; empty ones do not count.

    Raises:
        DataError: All are empty.
    """
    curves = [curve for curve in replayed if curve]
    if not curves:
        raise DataError("nothing to replay: no recorded object was saved")
    filled = np.array([(curve + curve[-1:] * N_CURVE)[:N_CURVE] for curve in curves])
    return RecordedScores(
        miou_at=tuple(float(value) for value in filled.mean(axis=0)),
        final_iou=float(np.mean([curve[-1] for curve in curves])),
        reached={
            f"{goal:.2f}": float(np.mean([max(curve) >= goal for curve in curves]))
            for goal in _GOALS
        },
        n_objects=len(curves),
        n_clicks=sum(len(curve) for curve in curves),
    )
