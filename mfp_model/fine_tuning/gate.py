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
from mfp_model.evaluation.protocol import click_object
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
        general: With automatic clicks on the general set.
        recorded: With people's clicks on the held-out corrections, None where too few objects
            have some.
    """

    version: str
    corrections: Scores
    general: Scores
    recorded: RecordedScores | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the scores as JSON can hold them."""
        return asdict(self)

    @staticmethod
    def from_json(told: dict[str, Any]) -> Judgement:
        """Return what `as_json` told."""
        corrections, general = (
            Scores(**{**told[name], "miou_at": tuple(told[name]["miou_at"])})
            for name in ("corrections", "general")
        )
        recorded = told.get("recorded")
        return Judgement(
            version=told["version"],
            corrections=corrections,
            general=general,
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


def judge(
    segmenter: Segmenter, held_out: Path, *, report: Callable[[], None] = lambda: None
) -> Judgement:
    """Return a segmenter's scores on a COCO folder of held-out corrections and the general set.

    Args:
        segmenter: Who is judged.
        held_out: The folder.
        report: Called after each object.
    """
    curves: list[list[float]] = []

    def scores(root: Path) -> Scores:
        results = []
        for target in coco_objects(root, on_problem=_log.warning):
            results.append(click_object(segmenter, target, goal=_GOAL_IOU).result)
            if target.clicks:
                curves.append(ious_after_clicks(segmenter, target))
            report()
        return score(results)

    corrections, general = scores(held_out), scores(GENERAL_SET)
    return Judgement(
        version=segmenter.version,
        corrections=corrections,
        general=general,
        recorded=score_curves(curves) if len(curves) >= MIN_RECORDED else None,
    )


def verdict(candidate: Judgement, base: Judgement) -> Verdict:
    """Return whether the candidate takes the base's place."""
    was, now = mean_noc(base.corrections), mean_noc(candidate.corrections)
    general_was, general_now = mean_noc(base.general), mean_noc(candidate.general)
    told = (
        f"corrections {was:.2f} -> {now:.2f} clicks, general set {general_was:.2f} -> "
        f"{general_now:.2f} (at most {GENERAL_MARGIN} more)"
    )
    clicks = (
        f"on masks that it did not learn from it needs {now:.1f} clicks, the version before "
        f"{was:.1f}"
    )
    if candidate.recorded and base.recorded:
        before, after = base.recorded.mean_iou, candidate.recorded.mean_iou
        told += f", recorded clicks {before:.3f} -> {after:.3f} IoU"
        if after < before - RECORDED_MARGIN:
            return Verdict(
                passes=False,
                reason=f"worse on recorded clicks: {told}",
                sentence="Not served, since it answers the clicks that people made worse: its "
                f"masks are {after:.1%} right, those of the version before {before:.1%}.",
            )
    if now >= was:
        sentence = f"Not served, since it is not better: {clicks}."
        return Verdict(passes=False, reason=f"not better: {told}", sentence=sentence)
    if general_now > general_was + GENERAL_MARGIN:
        return Verdict(
            passes=False,
            reason=f"forgets: {told}",
            sentence=f"Not served, since it has forgotten too much: {clicks}; but on other photos "
            f"it needs {general_now:.1f}, the version before {general_was:.1f}.",
        )
    return Verdict(passes=True, reason=f"better: {told}", sentence=f"Better: {clicks}.")


def mean_noc(scores: Scores) -> float:
    """Return the mean of NoC@85 and NoC@90."""
    return (scores.noc["0.85"] + scores.noc["0.90"]) / 2
