"""Two masks of one label become one, and what is clicked away goes."""

import pytest

from tests.unit.backend.answering.clicked_page import AUTO, ClickedPage, mask_of
from tests.unit.backend.page import (
    POLYGON,
    box,
    point,
    row,
    saved,
    site_of,
)


def test_ctrl_on_two_masks_of_one_label_joins_them() -> None:
    page = ClickedPage()
    first, second = page.click("p", 30, 60), page.click("q", 120, 60)
    page.save(first, second)
    (joined,) = page.ask(point("r", 30, 60), point("s", 120, 60))
    assert joined["id"] == first["id"]
    assert (mask_of(joined) & mask_of(second)).sum() == mask_of(second).sum()
    assert second["id"] in joined["meta"]["text"][0]
    page.save(joined, second)  # it was not deleted
    assert page.click("t", 120, 58)["id"] == second["id"]


def test_masks_are_joined_click_by_click_and_an_undone_click_takes_its_mask_back() -> None:
    page = ClickedPage()
    first, second = page.click("p", 30, 60), page.click("q", 120, 60)
    page.save(first, second)
    on_first, on_second = point("r", 30, 62), point("s", 120, 62)
    assert page.ask(on_first)[0]["id"] == first["id"]
    (joined,) = page.ask(on_first, on_second)
    assert joined["id"] == first["id"]
    assert (mask_of(joined) & mask_of(second)).sum() == mask_of(second).sum()
    assert second["id"] in joined["meta"]["text"][0]
    (without,) = page.ask(on_first, point("t", 34, 62))
    assert not (mask_of(without) & mask_of(second)).any()
    assert "meta" not in without


def test_a_correction_that_is_not_saved_yet_stays_when_its_mask_takes_in_another_one() -> None:
    page = ClickedPage()
    page.save(row("first", box(10, 10, 90, 110)), row("second", box(120, 10, 190, 110)))
    page.click("n", 30, 60, is_positive=False)  # and is accepted
    on_both = point("r", 85, 60), point("s", 150, 60)
    for placed in on_both[:1], on_both, (*on_both, point("t", 85, 80)), on_both[:1]:
        (region,) = page.ask(*placed)
        assert region["id"] == "first"
        assert not mask_of(region)[60, 30]
        assert mask_of(region)[60, 185] == (len(placed) > 1)


def test_what_a_mask_took_in_stays_with_each_click_before_the_page_has_saved() -> None:
    page = ClickedPage()
    page.save(row("first", box(10, 10, 90, 110)), row("second", box(120, 10, 190, 110)))
    page.ask(point("r", 30, 60), point("s", 150, 60))  # and is accepted
    away = point("n", 85, 100, is_positive=False), point("m", 85, 20, is_positive=False)
    for placed in away[:1], away, away[:1]:
        (region,) = page.ask(*placed)
        assert region["id"] == "first"
        assert mask_of(region)[60, [30, 150, 185]].all()
        assert not mask_of(region)[100, 85]
        assert mask_of(region)[20, 85] == (len(placed) == 1)


def test_a_correction_stays_in_what_takes_its_mask_in_where_somebody_else_opened_the_task() -> None:
    page, on_both = ClickedPage(), (point("r", 30, 60), point("s", 150, 60))
    page.save(row("first", box(10, 10, 90, 110)), row("second", box(120, 10, 190, 110)))
    (corrected,) = page.ask(point("n", 185, 60, is_positive=False))
    page.open()
    first = row("first", box(10, 10, 90, 110))
    site_of().drafts = [saved(first, corrected, *on_both, id=1, annotation=None)]
    try:
        (joined,) = page.ask(*on_both)
    finally:
        site_of().drafts = None
    assert joined["id"] == "first"
    assert mask_of(joined)[60, 150]
    assert not mask_of(joined)[60, 185]


def test_a_mask_that_another_one_took_in_does_not_come_back_before_the_page_has_saved() -> None:
    page = ClickedPage()
    first, second = page.click("p", 30, 60), page.click("q", 120, 60)
    page.save(first, second)
    page.ask(point("r", 30, 62), point("s", 120, 62))
    assert page.click("t", 120, 58)["id"] == first["id"]  # the second one was deleted


@pytest.mark.parametrize("is_saved", [False, True])
def test_the_page_is_told_to_delete_a_polygon_that_was_clicked_away(is_saved: bool) -> None:
    page = ClickedPage(config=POLYGON.format(""))
    points = [point("p", 40, 60), point("q", 120, 60)]
    first, second = page.ask(*points)
    if is_saved:
        page.save(first, second)
    (left,) = page.ask(point("n", 120, 60, is_positive=False))
    assert left["id"] == first["id"]
    assert second["id"] in left["meta"]["text"][0]
    page.save(left)
    (later,) = page.ask(point("m", 40, 76, is_positive=False))
    assert "meta" not in later


def test_nothing_is_said_of_a_polygon_that_was_never_accepted() -> None:
    page = ClickedPage(config=POLYGON.format(""))
    points = [point("p", 40, 60), point("q", 120, 60)]
    assert len(page.ask(*points)) == 2
    (left,) = page.ask(points[0])
    assert "meta" not in left


def test_a_mask_without_pixels_is_never_sent() -> None:
    page = ClickedPage(config=AUTO)
    page.click("p", 60, 60)
    assert page.ask(point("n", 60, 60, is_positive=False)) == []
    assert page.click("q", 60, 62)["id"]
