"""Which of a task's annotations count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backend.exchange.tasks import LabeledTask
from backend.label_studio.regions import finite_score
from mfp_model.errors import check_choice

_NEVER = datetime.min.replace(tzinfo=UTC)
ANNOTATORS = ("newest", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRules:
    """What counts.

    Attributes:
        annotators: `newest`: of each task the ground truth where one is marked, otherwise what
            was changed last. `all`: everybody's.
        only_submitted: Drafts do not count. Otherwise a draft that is newer than the annotation
            it changes takes its place, and a draft of a new annotation counts like one.
        with_cancelled: Annotations of skipped tasks count. A draft that is newer than one counts
            in any case, as whoever skipped the task has taken it up again.
        with_predictions: For a task without annotations, the newest prediction counts.
    """

    annotators: str = "newest"
    only_submitted: bool = False
    with_cancelled: bool = False
    with_predictions: bool = False

    def __post_init__(self) -> None:
        check_choice("annotators", self.annotators, ANNOTATORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenAnnotation:
    """One annotator's result.

    Attributes:
        name: For messages, such as `annotation 3`.
        result: Label Studio's rows.
        source: What goes into COCO about it: annotation, draft or prediction, and annotator.
        score: Of a prediction.
        changed: When it was last changed.
        is_ground_truth: Marked so by a person.
    """

    name: str
    result: object
    source: dict[str, Any]
    score: float | None = None
    changed: datetime = _NEVER
    is_ground_truth: bool = False


def chosen(task: LabeledTask, rules: ChoiceRules, left_out: Counter[str]) -> list[ChosenAnnotation]:
    """Return what counts of a task; what does not is counted by its kind in `left_out`."""
    drafts = [] if rules.only_submitted else task.drafts
    left_out["drafts"] += len(task.drafts) - len(drafts)
    by_annotation = {  # several people may have one on an annotation: the newest stays
        str(draft["annotation"]): draft
        for draft in sorted(drafts, key=_changed)
        if draft.get("annotation")
    }
    left_out["drafts older than another of their annotation"] += sum(
        bool(draft.get("annotation")) for draft in drafts
    ) - len(by_annotation)
    numbers = {str(annotation.get("id")) for annotation in task.annotations}
    left_out["drafts of annotations that are not there"] += len(by_annotation.keys() - numbers)
    candidates = []
    for annotation in task.annotations:
        draft = by_annotation.get(str(annotation.get("id")))
        is_newer = draft is not None and _changed(draft) > _changed(annotation)
        if annotation.get("was_cancelled") and not (rules.with_cancelled or is_newer):
            left_out["cancelled annotations"] += 1
            continue
        candidates.append(_annotation(annotation, draft if is_newer else None))
    candidates += [_draft(draft) for draft in drafts if not draft.get("annotation")]
    if candidates and rules.annotators == "newest":
        newest = max(
            candidates, key=lambda candidate: (candidate.is_ground_truth, candidate.changed)
        )
        if len(candidates) > 1 and not task.tells_ground_truth:
            left_out["choices of the newest annotation: JSON_MIN cannot tell the ground truth"] += 1
        left_out["annotations older than another of their task"] += len(candidates) - 1
        return [newest]
    if not candidates and rules.with_predictions:
        return newest_predictions(task, left_out)[:1]
    return candidates


def newest_predictions(task: LabeledTask, left_out: Counter[str]) -> list[ChosenAnnotation]:
    """Return a task's predictions, the newest first; scores that are no numbers are counted."""
    newest = sorted(task.predictions, key=_changed, reverse=True)
    return [_prediction(prediction, left_out) for prediction in newest]


def _changed(entry: Mapping[str, Any]) -> datetime:
    """When it was changed; what does not tell comes first.

    As texts, 12:00:00Z would come behind 12:00:00.5Z.
    """
    text = str(entry.get("updated_at") or entry.get("created_at") or "")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return _NEVER
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _annotation(annotation: Mapping[str, Any], draft: Mapping[str, Any] | None) -> ChosenAnnotation:
    number, annotator = annotation.get("id"), annotation.get("completed_by")
    source = {"annotation": number, "annotator": _person(annotator), "draft": draft is not None}
    return ChosenAnnotation(
        name=f"annotation {number}",
        result=(draft or annotation).get("result"),
        source=source,
        changed=_changed(draft or annotation),
        is_ground_truth=bool(annotation.get("ground_truth")),
    )


def _draft(draft: Mapping[str, Any]) -> ChosenAnnotation:
    return ChosenAnnotation(
        name=f"draft {draft.get('id')}",
        result=draft.get("result"),
        source={"annotation": None, "annotator": _person(draft.get("user")), "draft": True},
        changed=_changed(draft),
    )


def _prediction(prediction: Mapping[str, Any], left_out: Counter[str]) -> ChosenAnnotation:
    return ChosenAnnotation(
        name=f"prediction {prediction.get('id')}",
        result=prediction.get("result"),
        source={
            "prediction": prediction.get("id"),
            "model_version": prediction.get("model_version"),
        },
        score=finite_score(prediction, left_out),
    )


def _person(value: object) -> object:
    return value.get("id") if isinstance(value, dict) else value
