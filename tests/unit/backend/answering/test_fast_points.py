"""Points that come faster than their answers, and points that an accepted object left behind."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from backend.answering.encoding import Encoded, MaskEncoder
from tests.unit.backend.answering.clicked_page import AUTO, ClickedPage, mask_of
from tests.unit.backend.page import (
    box,
    point,
    row,
)


def test_points_faster_than_answers_are_objects_of_their_own_with_auto_accept() -> None:
    page = ClickedPage(config=AUTO)
    placed = [point(name, x, 60) for name, x in (("a", 30), ("b", 80), ("c", 130))]
    (first,) = page.ask(placed[0])
    rows = page.ask(*placed)
    assert len({region["id"] for region in rows}) == 3
    assert rows[0]["id"] == first["id"]
    assert all(mask_of(region)[60, x] for region, x in zip(rows, (30, 80, 130), strict=True))
    assert page.ask(*placed[1:])[0]["id"] == rows[1]["id"]
    again = page.ask(*placed[1:], point("n", 145, 60, is_positive=False))
    assert again[1]["id"] == rows[2]["id"]
    assert not mask_of(again[1])[60, 140]


def test_no_two_objects_of_one_answer_have_one_id() -> None:
    page = ClickedPage(config=AUTO)
    placed = [point("n", 10, 10, is_positive=False), point("a", 60, 60), point("b", 130, 60)]
    assert page.ask(placed[0]) == []  # the page keeps a point that brought nothing
    (first,) = page.ask(*placed[:2])
    rows = page.ask(*placed)
    assert [region["id"] == first["id"] for region in rows] == [True, False]
    np.testing.assert_array_equal(mask_of(rows[0]), mask_of(first))


def test_a_click_on_a_mask_that_a_click_before_took_away_whole_corrects_that_mask() -> None:
    page = ClickedPage(config=AUTO)
    first = page.click("p", 60, 60)
    page.save(first)
    away = point("n", 60, 60, is_positive=False)
    assert page.ask(away) == []  # the page keeps the mask, and the point
    for _ in range(2):
        (added,) = page.ask(away, point("q", 75, 60))
        assert added["id"] == first["id"]
        assert mask_of(added)[60, [45, 75, 90]].all()


def test_a_click_that_took_a_mask_away_whole_keeps_none_from_the_next_click() -> None:
    page = ClickedPage(config=AUTO)
    small, other = row("small", box(20, 50, 30, 60)), row("other", box(60, 20, 110, 100))
    page.save(small, other)
    away = point("n", 25, 55, is_positive=False)
    assert page.ask(away) == []
    (taken,) = page.ask(away, point("m", 100, 60, is_positive=False))
    assert taken["id"] == "other"
    assert not mask_of(taken)[60, 100]


def test_a_point_on_a_mask_that_was_not_shown_yet_is_an_object_of_its_own() -> None:
    page = ClickedPage(config=AUTO)
    placed = [point("a", 60, 60), point("b", 70, 60)]
    (first,) = page.ask(placed[0])
    rows = page.ask(*placed)
    assert [region["id"] == first["id"] for region in rows] == [True, False]
    assert [region["id"] for region in page.ask(*placed)] == [region["id"] for region in rows]


def test_an_answer_that_was_overtaken_while_it_was_encoded_is_no_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, points, shown = ClickedPage(), [point("p", 60, 60), point("q", 80, 60)], []
    encode = MaskEncoder.encode

    def overtaken(*arguments: Any, **more: Any) -> Encoded:  # noqa: ANN401
        monkeypatch.setattr(MaskEncoder, "encode", encode)
        encoded = encode(*arguments, **more)
        with ThreadPoolExecutor() as other:
            shown.extend(other.submit(page.ask, *points).result())
        return encoded

    monkeypatch.setattr(MaskEncoder, "encode", overtaken)
    assert page.ask(points[0]) == []
    taken = page.click("n", 60, 70, is_positive=False)  # the second answer was accepted
    assert taken["id"] == shown[0]["id"]


def test_points_faster_than_answers_are_one_object_without_auto_accept() -> None:
    assert len(ClickedPage().ask(point("a", 30, 60), point("b", 130, 60))) == 1


def test_points_of_an_accepted_object_are_dead() -> None:
    page = ClickedPage()
    left_behind = point("p", 30, 60)
    (first,) = page.ask(left_behind)
    page.save(first, {**left_behind, "from_name": "click"})
    (second,) = page.ask(left_behind, point("q", 130, 60))
    assert second["id"] != first["id"]
    assert not mask_of(second)[60, 30]


def test_an_accepted_objects_points_that_are_sent_on_stay_dead() -> None:
    page = ClickedPage()
    other, left_behind = page.click("o", 150, 100), point("p", 60, 60)
    page.save(other)
    (first,) = page.ask(left_behind)
    page.save(other, first, {**left_behind, "from_name": "click"})
    points = [left_behind, point("n", 75, 60, is_positive=False), point("q", 80, 80)]
    assert page.ask(*points[:2])[0]["id"] == first["id"]
    assert page.ask(*points)[0]["id"] == first["id"]
    assert page.ask(*points, point("r", 110, 80))[0]["id"] == first["id"]
