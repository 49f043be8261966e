from collections import Counter
from typing import Any

import pytest

from backend.exchange.annotation_choice import ChoiceRules, chosen
from backend.exchange.tasks import LabeledTask
from mfp_model.errors import ConfigError


def _entry(number: int, at: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"id": number, "updated_at": f"2026-01-{at:02}", "result": [number], **fields}


def _names(rules: ChoiceRules, **lists: Any) -> list[tuple[str, object]]:  # noqa: ANN401
    parts: dict[str, Any] = {"annotations": [], "drafts": [], "predictions": [], **lists}
    choices = chosen(LabeledTask(id=1, data={}, **parts), rules, Counter())
    return [(choice.name, choice.result) for choice in choices]


def test_of_several_annotators_the_newest_counts_unless_one_is_the_truth() -> None:
    annotations = [_entry(1, 5), _entry(2, 9), _entry(3, 7)]
    assert _names(ChoiceRules(), annotations=annotations) == [("annotation 2", [2])]
    annotations[0]["ground_truth"] = True
    assert _names(ChoiceRules(), annotations=annotations) == [("annotation 1", [1])]
    everybody = ChoiceRules(annotators="all", with_predictions=True)
    assert len(_names(everybody, annotations=annotations, predictions=[_entry(4, 9)])) == 3


def test_a_newer_draft_takes_its_annotations_place_but_not_among_submitted_ones() -> None:
    annotations = [_entry(1, 5)]
    drafts = [_entry(7, 6, annotation=1), _entry(8, 4, annotation=None, user="a@b.c")]
    both = {"annotations": annotations, "drafts": drafts}
    assert _names(ChoiceRules(), **both) == [("annotation 1", [7])]
    assert _names(ChoiceRules(annotators="all"), **both) == [
        ("annotation 1", [7]),
        ("draft 8", [8]),
    ]
    assert _names(ChoiceRules(only_submitted=True), **both) == [("annotation 1", [1])]
    drafts[0]["updated_at"] = "2026-01-01"
    assert _names(ChoiceRules(), **both) == [("annotation 1", [1])]


def test_cancelled_annotations_and_predictions_count_on_demand() -> None:
    skipped = {"annotations": [_entry(1, 5, was_cancelled=True)], "predictions": [_entry(4, 1)]}
    assert _names(ChoiceRules(), **skipped) == []
    assert _names(ChoiceRules(with_cancelled=True), **skipped) == [("annotation 1", [1])]
    assert _names(ChoiceRules(with_predictions=True), **skipped) == [("prediction 4", [4])]


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected one of newest, all"):
        ChoiceRules(annotators="best")


def test_of_two_peoples_drafts_on_one_annotation_the_newest_counts() -> None:
    def draft(number: int, at: str) -> dict[str, object]:
        return {"id": number, "annotation": 10, "result": [number], "updated_at": at}

    drafts = [draft(1, "2026-01-02T00:00:00.500000Z"), draft(2, "2026-01-02T00:00:00Z")]
    task = LabeledTask(
        id=1,
        data={},
        annotations=[{"id": 10, "result": [], "updated_at": "2026-01-01T00:00:00Z"}],
        drafts=drafts,  # type: ignore[arg-type]
        predictions=[],
    )
    left_out: Counter[str] = Counter()
    (choice,) = chosen(task, ChoiceRules(), left_out)
    assert choice.result == [1]
    assert left_out["drafts older than another of their annotation"] == 1


def test_a_draft_whose_annotation_an_export_leaves_out_is_counted() -> None:
    drafts = [_entry(7, 6, annotation=1), _entry(8, 6, annotation=2)]
    task = LabeledTask(id=1, data={}, annotations=[_entry(2, 5)], drafts=drafts, predictions=[])
    left_out: Counter[str] = Counter()
    assert [choice.result for choice in chosen(task, ChoiceRules(), left_out)] == [[8]]
    assert +left_out == {"drafts of annotations that are not there": 1}


def test_a_draft_on_a_skipped_task_counts_where_it_is_newer() -> None:
    annotations = [_entry(1, 5, was_cancelled=True)]
    taken_up = {"annotations": annotations, "drafts": [_entry(7, 6, annotation=1)]}
    assert _names(ChoiceRules(), **taken_up) == [("annotation 1", [7])]
    assert _names(ChoiceRules(only_submitted=True), **taken_up) == []
    assert _names(ChoiceRules(), **taken_up | {"drafts": [_entry(7, 4, annotation=1)]}) == []
