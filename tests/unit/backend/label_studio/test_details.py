"""The details of a region stay when an answer comes in its place."""

from typing import Any

import pytest

from backend.label_studio.details import with_details

_SHAPES: dict[str, dict[str, Any]] = {
    "brushlabels": {"format": "rle", "rle": [1, 2]},
    "polygonlabels": {"points": [[0, 0], [1, 0], [1, 1]], "closed": True},
}
_ANSWER: dict[str, Any] = {"id": "a", "type": "brushlabels", "value": {"rle": [3]}}


def _saved(name: str, kind: str, shape: str = "brushlabels", **value: object) -> dict[str, Any]:
    return {"id": name, "type": kind, "from_name": kind, "value": {**_SHAPES[shape], **value}}


@pytest.mark.parametrize("shape", _SHAPES)
def test_choices_and_texts_are_repeated_without_the_old_shape(shape: str) -> None:
    saved = [
        _saved("a", shape, shape, **{shape: ["Cat"]}),
        _saved("a", "choices", shape, choices=["bad"]),
        _saved("a", "textarea", shape, text=["old"]),
        _saved("b", "choices", shape, choices=["good"]),
    ]
    mask, *details = with_details([_ANSWER], saved)
    assert mask == _ANSWER
    assert [(row["id"], row["from_name"], row["value"]) for row in details] == [
        ("a", "choices", {"choices": ["bad"]}),
        ("a", "textarea", {"text": ["old"]}),
    ]


def test_notes_stay_with_new_ones_behind_them_and_those_that_were_followed_go() -> None:
    notes = ["crowd", "region b is in it now: delete that one"]
    saved = [{**_saved("a", "brushlabels"), "meta": {"text": notes}, "parentID": "c"}]
    new = {**_ANSWER, "meta": {"text": ["region d is in it now: delete that one"]}}
    (row,) = with_details([new], saved)
    assert row["meta"] == {"text": ["crowd", "region d is in it now: delete that one"]}
    assert row["parentID"] == "c"


def test_copies_of_masks_damage_and_relations_are_not_repeated() -> None:
    saved = [
        _saved("a", "keypointlabels", keypointlabels=["Cat"]),
        {**_saved("a", "labels"), "value": {"labels": ["Cat"]}},
        {"id": "a", "type": "choices", "value": None},
        {"type": "relation", "from_id": "a", "to_id": "b"},
        "damage",
    ]
    assert with_details([_ANSWER], saved) == [_ANSWER]
