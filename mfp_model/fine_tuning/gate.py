"""The gate: a candidate passes only if it is better on corrections and as good as before elsewhere.

NoC is the mean of NoC@85 and NoC@90, on held-out corrections, and on the general set that ships
with the package. Where the clicks were recorded that people made on held-out objects, they are
replayed, too: the mean IoU after them must not fall.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mfp_model.evaluation.datasets import coco_objects
from mfp_model.evaluation.protocol import ObjectResult, click_object
from mfp_model.evaluation.recorded import RecordedScores, ious_after_clicks, score_curves
from mfp_model.evaluation.scores import Scores, score
from mfp_model.segmenter import Segmenter

_log = logging.getLogger(__name__)

GENERAL_SET = Path(__file__).parent / "general"
GENERAL_MARGIN = 0.5  # clicks that the general set may need more
RECORDED_MARGIN = 0.005  # of mean IoU that people's clicks may lead to less
MIN_RECORDED = 3  # objects
_GOAL_IOU = 0.90


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Scores of one segmenter: on held-out corrections, and on the general set.

    Attributes:
        version: Its model version.
        corrections: With automatic clicks on the held-out corrections.
        general: With automatic clicks on the general set, None where it was not measured.
        recorded: With people's clicks on the held-out corrections, None where too few objects
            have some.
    """

    version: str
    corrections: Scores
    general: Scores | None = None
    recorded: RecordedScores | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the scores as JSON can hold them."""
        return asdict(self)

    @staticmethod
    def from_json(entry: dict[str, Any]) -> Judgement:
        """Return what `as_json` told."""

        def scores(name: str) -> Scores:
            return Scores(**{**entry[name], "miou_at": tuple(entry[name]["miou_at"])})

        recorded = entry.get("recorded")
        return Judgement(
            version=entry["version"],
            corrections=scores("corrections"),
            general=None if entry.get("general") is None else scores("general"),
            recorded=None if recorded is None else RecordedScores.from_json(recorded),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a candidate passes, and why.

    Attributes:
        passes: Whether it takes the base's place.
        reason: Why, with all numbers.
        sentence: Why, for people who label.
    """

    passes: bool
    reason: str
    sentence: str


def judge_corrections(
    segmenter: Segmenter, held_out: Path, *, report: Callable[[int], None] = lambda n_done: None
) -> Judgement:
    """Return a segmenter's scores on held-out corrections, without those of the general set.

    Args:
        segmenter: Who is judged.
        held_out: COCO folder of the corrections.
        report: Called after each object with the number of those that are done.
    """
    results: list[ObjectResult] = []
    curves: list[list[float]] = []
    for target in coco_objects(held_out, on_problem=_log.warning):
        results.append(click_object(segmenter, target, goal=_GOAL_IOU).result)
        if target.clicks:
            curves.append(ious_after_clicks(segmenter, target))
        report(len(results))
    return Judgement(
        version=segmenter.version,
        corrections=score(results, goal=_GOAL_IOU),
        recorded=score_curves(curves) if len(curves) >= MIN_RECORDED else None,
    )


def judge_general(
    segmenter: Segmenter, *, report: Callable[[int], None] = lambda n_done: None
) -> Scores:
    """Return a segmenter's scores on the general set.

    Args:
        segmenter: Who is judged.
        report: Called after each object with the number of those that are done.
    """
    results: list[ObjectResult] = []
    for target in coco_objects(GENERAL_SET, on_problem=_log.warning):
        results.append(click_object(segmenter, target, goal=_GOAL_IOU).result)
        report(len(results))
    return score(results, goal=_GOAL_IOU)


def hangs_on_general(candidate: Judgement, base: Judgement) -> bool:
    """Return whether the general set can change the verdict: not where the corrections say no."""
    return not (_is_worse_on_recorded(candidate, base) or _is_not_better(candidate, base))


def verdict(candidate: Judgement, base: Judgement) -> Verdict:
    """Return whether the candidate takes the base's place.

    Raises:
        ValueError: The general set was not measured, and the verdict hangs on it.
    """
    was, now = mean_noc(base.corrections), mean_noc(candidate.corrections)
    figures = f"corrections {was:.2f} -> {now:.2f} clicks"
    general = None
    if candidate.general and base.general:
        general = mean_noc(base.general), mean_noc(candidate.general)
        figures += (
            f", general set {general[0]:.2f} -> {general[1]:.2f} (at most {GENERAL_MARGIN} more)"
        )
    clicks = (
        f"on masks that it did not learn from it needs {now:.1f} clicks, the version before "
        f"{was:.1f}"
    )
    if candidate.recorded and base.recorded:
        before, after = base.recorded.mean_iou, candidate.recorded.mean_iou
        figures += f", recorded clicks {before:.3f} -> {after:.3f} IoU"
        if _is_worse_on_recorded(candidate, base):
            return Verdict(
                passes=False,
                reason=f"worse on recorded clicks: {figures}",
                sentence="Not served, since it answers the clicks that people made worse: its "
                f"masks are {after:.1%} right, those of the version before {before:.1%}.",
            )
    if _is_not_better(candidate, base):
        sentence = f"Not served, since it is not better: {clicks}."
        return Verdict(passes=False, reason=f"not better: {figures}", sentence=sentence)
    if general is None:
        raise ValueError(f"a verdict that hangs on the general set needs its scores: {figures}")
    if general[1] > general[0] + GENERAL_MARGIN:
        return Verdict(
            passes=False,
            reason=f"forgets: {figures}",
            sentence=f"Not served, since it has forgotten too much: {clicks}; but on other photos "
            f"it needs {general[1]:.1f}, the version before {general[0]:.1f}.",
        )
    return Verdict(passes=True, reason=f"better: {figures}", sentence=f"Better: {clicks}.")


def _is_worse_on_recorded(candidate: Judgement, base: Judgement) -> bool:
    if candidate.recorded is None or base.recorded is None:
        return False
    return candidate.recorded.mean_iou < base.recorded.mean_iou - RECORDED_MARGIN


def _is_not_better(candidate: Judgement, base: Judgement) -> bool:
    return mean_noc(candidate.corrections) >= mean_noc(base.corrections)


def mean_noc(scores: Scores) -> float:
    """Return the mean of NoC@85 and NoC@90."""
    return (scores.noc["0.85"] + scores.noc["0.90"]) / 2
