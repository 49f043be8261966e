"""Clicks while a mask is selected on the page, or only its label."""

import pytest

from tests.unit.backend.answering.clicked_page import AUTO, ClickedPage, beside, mask_of, rectangle
from tests.unit.backend.page import (
    BRUSH,
    point,
)


def test_a_click_beside_a_selected_mask_adds_to_it_and_alt_takes_from_it() -> None:
    page = ClickedPage(config=AUTO)
    first, second = page.click("p", 30, 60), page.click("q", 150, 60)
    (added,) = page.ask(*beside(point("r", 60, 60)))
    assert added["id"] == first["id"]
    assert mask_of(added)[60, 75]
    page.save(added, second)
    (taken,) = page.ask(*beside(point("n", 120, 60, is_positive=False)))
    assert taken["id"] == second["id"]
    assert not mask_of(taken)[60, 135]


def test_no_answer_that_waits_for_its_check_has_the_id_of_a_mask_that_is_selected() -> None:
    page = ClickedPage()
    first = page.click("p", 30, 60)
    (new,) = page.ask(*beside(rectangle("b", 14, 44, 46, 76)))
    assert new["id"] != first["id"]
    page.save(first)
    (new,) = page.ask(*beside(point("r", 150, 60)))
    assert new["id"] != first["id"]
    page.save(first, new)
    assert page.ask(*beside(point("n", 90, 60, is_positive=False))) == []


@pytest.mark.parametrize("attribute", ["", ' autoAccept="true"'])
def test_alt_beside_all_masks_edits_none_that_generic_labels_may_hide_the_selection_of(
    attribute: str,
) -> None:
    labels = '<Labels name="label" toName="image"><Label value="Cat"/><Label value="Dog"/></Labels>'
    brush = f'{labels}<Brush name="mask" toName="image"{attribute}/>'
    points = '<KeyPoint name="click" toName="image"/>'
    config = f'<View><Image name="image" value="$image"/>{brush}{points}</View>'
    page = ClickedPage(config=config)
    first = page.ask(point("p", 30, 60))
    page.save(*first)
    taken = page.ask(point("n", 100, 60, is_positive=False))
    assert {row["id"] for row in taken} == ({first[0]["id"]} if attribute else set())


@pytest.mark.parametrize("config", [BRUSH.format(""), AUTO])
@pytest.mark.parametrize("is_positive", [False, True])
def test_a_click_on_a_mask_means_it_also_where_its_label_is_still_chosen(
    config: str, is_positive: bool
) -> None:
    page = ClickedPage(config=config)
    first, second = page.click("p", 30, 60), page.click("q", 150, 60)
    page.save(first, second)
    (edited,) = page.ask(*beside(point("r", 35, 60, is_positive=is_positive)))
    assert edited["id"] == first["id"]


def test_points_faster_than_answers_beside_a_selected_mask_all_add_to_it() -> None:
    page = ClickedPage(config=AUTO)
    first = page.click("p", 30, 60)
    page.save(first)
    (added,) = page.ask(*beside(point("r", 60, 60)), *beside(point("s", 90, 60)))
    assert added["id"] == first["id"]
    assert mask_of(added)[60, [30, 60, 90]].all()
