"""Boxes, and clicks that correct what they gave."""

from tests.unit.backend.answering.clicked_page import AUTO, ClickedPage, mask_of, rectangle
from tests.unit.backend.page import (
    ProjectSite,
    point,
    request,
    saved,
)


def test_a_box_gives_a_mask_with_its_label_and_a_click_in_it_corrects_it() -> None:
    page = ClickedPage()
    (first,) = page.ask(rectangle("b", 20, 20, 90, 100))
    assert first["value"]["brushlabels"] == ["Dog"]
    assert mask_of(first)[60, 50]
    (taken,) = page.ask(point("n", 85, 60, is_positive=False, label="Dog"))
    assert taken["id"] == first["id"]
    assert mask_of(taken)[30, 30]
    assert not mask_of(taken)[60, 85]
    (both,) = page.ask(
        point("n", 85, 60, is_positive=False, label="Dog"), point("p", 95, 100, label="Dog")
    )
    assert both["id"] == first["id"]
    assert mask_of(both)[100, 97]
    assert not mask_of(both)[60, 85]
    far = page.click("q", 170, 30, label="Dog")
    assert far["id"] != first["id"]


def test_a_click_in_a_box_that_was_undone_counts_no_more_once_the_page_has_saved() -> None:
    page, drawn = ClickedPage(), rectangle("b", 20, 20, 90, 100)
    page.ask(drawn)
    away = {"is_positive": False, "label": "Dog"}
    undone = page.click("n", 85, 60, **away)
    page.save({**drawn, "type": "rectangle"})
    taken = page.click("m", 30, 60, **away)
    assert taken["id"] == undone["id"]
    assert mask_of(taken)[60, 85]
    assert not mask_of(taken)[60, 30]


def test_clicks_on_a_boxs_mask_that_was_saved_correct_it_together() -> None:
    page = ClickedPage()
    (first,) = page.ask(rectangle("b", 20, 20, 90, 100))
    page.save(first)
    away, more = (
        point("n", 85, 60, is_positive=False, label="Dog"),
        point("p", 95, 100, label="Dog"),
    )
    assert page.ask(away)[0]["id"] == first["id"]
    (both,) = page.ask(away, more)
    assert both["id"] == first["id"]
    assert mask_of(both)[100, 97]
    assert mask_of(both)[30, 30]
    assert not mask_of(both)[60, 85]


def test_a_click_in_somebody_elses_box_is_an_object_of_its_own() -> None:
    site = ProjectSite(maximum_annotations=2)
    page, drawn = ClickedPage(site.settings()), rectangle("b", 20, 20, 90, 100)
    (theirs,) = page.ask(drawn)
    click = point("p", 95, 104, label="Dog")
    site.drafts = [saved(click, id=2, annotation=None)]
    (mine,) = page.ask(click)
    assert mine["id"] != theirs["id"]
    assert not mask_of(mine)[60, 50]
    again = point("q", 95, 103, label="Dog")
    site.drafts = [saved({**drawn, "type": "rectangle"}, again, id=1, annotation=None)]
    (corrected,) = page.ask(again)  # whose draft has the box
    assert corrected["id"] == theirs["id"]
    assert mask_of(corrected)[60, 50]


def test_a_click_with_another_label_in_a_box_is_an_object_of_its_own() -> None:
    page = ClickedPage()
    (dog,) = page.ask(rectangle("b", 20, 20, 90, 100))
    cat = page.click("p", 60, 60)
    assert cat["id"] != dog["id"]
    assert cat["value"]["brushlabels"] == ["Cat"]


def test_a_box_is_forgotten_when_the_task_is_opened_again() -> None:
    page = ClickedPage()
    (lost,) = page.ask(rectangle("b", 20, 20, 90, 100))
    opening = request(config=page.config)
    opening["params"]["context"] = None
    assert page.client.post("/predict", json=opening).status_code == 200
    new = page.click("p", 95, 104, label="Dog")
    assert new["id"] != lost["id"]
    assert not mask_of(new)[60, 50]


def test_a_box_around_what_may_have_been_undone_makes_it_anew() -> None:
    page = ClickedPage()
    (first,) = page.ask(rectangle("b", 20, 20, 90, 100))
    (again,) = page.ask(rectangle("c", 24, 20, 94, 100))
    assert again["id"] == first["id"]  # of two masks there is one, whether it was undone or not
    assert mask_of(again)[60, 30:90].all()
    (other,) = page.ask(rectangle("d", 20, 20, 180, 110))  # of something larger
    assert other["id"] != first["id"]
    assert not (mask_of(other) & mask_of(again)).any()
    page.save(again)
    (beside,) = page.ask(rectangle("e", 20, 22, 94, 104))  # what was saved is left alone
    assert beside["id"] != first["id"]


def test_a_box_that_was_accepted_at_once_takes_no_further_click() -> None:
    page = ClickedPage(config=AUTO)
    (first,) = page.ask(rectangle("b", 20, 20, 60, 100))
    (second,) = page.ask(point("p", 61, 60, label="Dog"))
    assert second["id"] != first["id"]
    rows = page.ask(rectangle("c", 100, 20, 130, 50), rectangle("d", 140, 20, 170, 50))
    assert len(rows) == 1  # of several that are sent the newest counts, and those just answered
    assert len(page.ask(rectangle("d", 140, 20, 170, 50), rectangle("e", 140, 60, 170, 90))) == 2
