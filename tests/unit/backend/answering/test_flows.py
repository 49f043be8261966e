"""Work without the way to the check: what a click means after masks that were accepted at once.

The answers go through the whole application; what the page does with them is for the browser tests.
"""

import numpy as np
import pytest

from tests.unit.backend.answering.clicked_page import ClickedPage, mask_of, rectangle
from tests.unit.backend.page import (
    BRUSH,
    POLYGON,
    box,
    point,
    row,
    saved,
    settings_of,
    site_of,
)


def test_clicks_beside_what_was_answered_make_new_objects_that_keep_clear_of_it() -> None:
    page = ClickedPage()
    first, second = page.click("p", 60, 60), page.click("q", 90, 60)
    assert first["id"] != second["id"]
    assert not (mask_of(first) & mask_of(second)).any()


@pytest.mark.parametrize("is_saved", [False, True])
def test_alt_and_ctrl_on_a_mask_take_away_there_at_once_and_later(is_saved: bool) -> None:
    page = ClickedPage()
    first = page.click("p", 60, 60)
    if is_saved:
        page.save(first)
    second = page.click("q", 60, 75, is_positive=False)
    assert second["id"] == first["id"]
    assert mask_of(second)[50, 60]
    assert not mask_of(second)[75, 60]
    assert len(page.segmenter.clicks) == 2  # as if it had not been accepted


def test_alt_beside_all_masks_takes_from_the_last_object() -> None:
    page = ClickedPage()
    page.click("p", 30, 60)
    last = page.click("q", 100, 60)
    taken = page.click("n", 125, 60, is_positive=False)
    assert taken["id"] == last["id"]
    assert mask_of(taken)[60, 95]
    assert not mask_of(taken)[60, 110]
    page.save(last)
    assert page.click("m", 140, 60, is_positive=False)["id"] == last["id"]


def test_a_mask_that_the_page_saved_no_more_never_comes_back() -> None:
    page = ClickedPage()
    first, undone = page.click("p", 30, 60), page.click("q", 100, 60)
    page.save(first)
    taken = page.click("n", 60, 60, is_positive=False)
    assert taken["id"] == first["id"]  # the last one that stands
    page.save()
    assert page.ask(point("m", 100, 60, is_positive=False)) == []
    assert page.click("r", 100, 62)["id"] not in (first["id"], undone["id"])


def test_a_click_on_a_mask_that_may_have_been_undone_shows_nothing_of_it() -> None:
    page = ClickedPage()
    first = page.click("p", 60, 60)
    again = page.click("q", 70, 60)
    assert again["id"] == first["id"]  # of two masks there is one, whether it was undone or not
    assert not mask_of(again)[60, 45]
    alone = ClickedPage().click("q", 70, 60)
    np.testing.assert_array_equal(mask_of(again), mask_of(alone))


def test_an_object_that_was_begun_before_the_first_draft_is_corrected_with_all_its_clicks() -> None:
    page, begun = ClickedPage(), {**point("p", 60, 60), "from_name": "click"}
    page.ask(begun)
    page.save(begun)
    (first,) = page.ask(begun, point("q", 110, 60))
    taken = page.click("n", 45, 60, is_positive=False)  # it was accepted, and is not saved yet
    assert taken["id"] == first["id"]
    assert mask_of(taken)[60, [75, 110]].all()


def test_a_correction_before_the_page_has_saved_goes_on_beside_a_saved_mask() -> None:
    page = ClickedPage()
    other = page.click("o", 150, 60)
    page.save(other)
    first = page.click("p", 60, 60)
    away = point("n", 60, 75, is_positive=False)
    for rows in page.ask(away), page.ask(away, point("q", 150, 60)):
        assert [region["id"] for region in rows] == [first["id"]]


def test_further_corrections_of_a_mask_on_another_one_before_it_is_saved_stay_with_it() -> None:
    page, away = ClickedPage(), point("n", 60, 75, label="Dog", is_positive=False)
    page.save(row("below", box(10, 10, 190, 110)))
    first = page.click("p", 60, 60, label="Dog")
    (taken,) = page.ask(away)
    (more,) = page.ask(away, point("m", 60, 45, label="Dog", is_positive=False))
    assert first["id"] == taken["id"] == more["id"]
    assert not mask_of(more)[[45, 75], 60].any()


def test_after_some_seconds_without_a_draft_an_answer_no_longer_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = ClickedPage()
    page.click("p", 60, 60)
    monkeypatch.setattr("backend.answering.standing._UNSAVED_S", 0.0)
    assert page.ask(point("n", 60, 60, is_positive=False)) == []


def test_nobody_gets_what_others_were_answered() -> None:
    page = ClickedPage(settings_of(maximum_annotations=2))
    first = page.click("p", 60, 60)
    assert page.ask(point("n", 60, 60, is_positive=False)) == []
    assert page.ask(point("m", 120, 60, is_positive=False)) == []
    page.save(first)
    assert page.click("q", 60, 70, is_positive=False)["id"] == first["id"]
    page.task = {"drafts": [saved(id=2, annotation=None)]}  # another person's, or another tab's
    assert page.ask(point("o", 60, 60, is_positive=False)) == []
    assert page.click("r", 60, 60)["id"] != first["id"]


def test_workers_share_what_was_answered() -> None:
    settings = settings_of()
    first = ClickedPage(settings).click("p", 60, 60)
    assert ClickedPage(settings).click("q", 60, 75, is_positive=False)["id"] == first["id"]


def test_what_somebody_drew_on_an_answer_is_what_is_edited() -> None:
    page = ClickedPage()
    first = page.click("p", 60, 60)
    drawn = mask_of(first)
    drawn[100:110, 150:180] = True
    page.save(row(first["id"], drawn))
    edited = mask_of(page.click("q", 60, 75, is_positive=False))
    assert edited[105, 160]
    assert not edited[75, 60]


def test_the_little_that_somebody_drew_on_a_large_answer_stays() -> None:
    page = ClickedPage()
    (first,) = page.ask(rectangle("b", 10, 10, 190, 110))
    drawn = mask_of(first)
    drawn[2:6, 100:105] = True  # 20 of 18,000 pixels
    page.save(row(first["id"], drawn, "Dog"))
    edited = mask_of(page.click("n", 30, 60, label="Dog", is_positive=False))
    assert edited[2:6, 100:105].all()
    assert not edited[60, 30]


def test_among_several_annotators_answers_count_from_the_first_draft_on() -> None:
    page = ClickedPage(settings_of(maximum_annotations=2))
    first = page.click("p", 30, 60)
    assert page.ask(point("m", 30, 65, is_positive=False)) == []
    page.save(first)
    second = page.click("q", 120, 60)
    assert page.click("n", 120, 65, is_positive=False)["id"] == second["id"]


def test_clicks_that_begin_on_a_mask_before_it_is_saved_add_to_it_once_it_is() -> None:
    page, begun = ClickedPage(), point("q", 70, 60)
    first = page.click("p", 60, 60)
    page.ask(begun)
    page.save(first, {**begun, "from_name": "click"})
    (added,) = page.ask(begun, point("r", 110, 60))
    assert added["id"] == first["id"]
    assert mask_of(added)[60, [45, 70, 110]].all()
    (more,) = page.ask(begun, point("r", 110, 60), point("s", 150, 60))
    assert more["id"] == first["id"]
    assert mask_of(more)[60, [45, 70, 110, 150]].all()


def test_a_click_that_is_moved_off_a_mask_before_its_check_leaves_the_mask_alone() -> None:
    page = ClickedPage()
    first = page.click("p", 60, 60)
    page.click("q", 70, 60)
    page.save(first, {**point("q", 70, 60), "from_name": "click"})
    moved = page.click("q", 140, 60)
    assert moved["id"] != first["id"]
    (more,) = page.ask(point("q", 140, 60), point("r", 160, 60))
    assert more["id"] == moved["id"]


@pytest.mark.parametrize("is_opened", [True, False])
def test_a_correction_that_a_reload_lost_does_not_come_back(is_opened: bool) -> None:
    page, away = ClickedPage(), {**point("n", 45, 60, is_positive=False), "from_name": "click"}
    first = page.click("p", 60, 60)
    page.save(first)
    assert not mask_of(page.ask(away)[0])[60, 45]
    if is_opened:
        page.open()
    else:  # which Label Studio does not tell of a task with a prediction
        page.save(first, {name: part for name, part in away.items() if name != "is_positive"})
    later = mask_of(page.click("m", 60, 79, is_positive=False))
    assert later[60, 45]
    assert not later[79, 60]


@pytest.mark.parametrize("is_reload", [False, True])
@pytest.mark.parametrize("y", [79, 85])  # on the mask, and beside it
def test_whether_a_page_lost_a_correction_when_its_task_was_opened_its_draft_tells(
    y: int, is_reload: bool
) -> None:
    page, again = ClickedPage(), point("m", 60, y, is_positive=False)
    first = page.click("p", 60, 60)
    page.save(first)
    (corrected,) = page.ask(point("n", 45, 60, is_positive=False))
    page.open()
    shown = first if is_reload else corrected
    site_of().drafts = [saved(shown, again, id=1, annotation=None)]
    try:
        later = mask_of(page.ask(again)[0])
    finally:
        site_of().drafts = None
    assert later[60, 45] == is_reload
    assert not later[79, 60]


def test_an_answer_that_waited_for_its_check_when_its_task_was_opened_is_asked_for_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, begun = ClickedPage(), {**point("p", 60, 60), "from_name": "click"}
    (first,) = page.ask(begun)
    page.save(begun)
    page.open()
    monkeypatch.setattr("backend.answering.standing._UNSAVED_S", 0.0)  # and was accepted only now
    away = point("n", 60, 75, is_positive=False)
    site_of().drafts = [saved(first, away, id=1, annotation=None)]
    try:
        (taken,) = page.ask(away)
    finally:
        site_of().drafts = None
    assert taken["id"] == first["id"]
    assert mask_of(taken)[50, 60]


@pytest.mark.parametrize("is_opened", [True, False])  # Label Studio does not always tell of it
def test_a_page_that_was_loaded_again_while_a_mask_waited_for_its_check_has_it_no_more(
    is_opened: bool,
) -> None:
    page, begun = ClickedPage(), {**point("p", 60, 60), "from_name": "click"}
    first = page.ask(begun)[0]
    page.save(begun)
    if is_opened:
        page.open()
    n_asked = site_of().n_asked_for_drafts
    left = {name: part for name, part in begun.items() if name != "is_positive"}
    assert page.ask(left, point("n", 60, 60, is_positive=False)) == []
    (new,) = page.ask(left, point("q", 90, 60))
    assert mask_of(first)[60, 75]
    assert mask_of(new)[60, 75]
    assert site_of().n_asked_for_drafts == n_asked


def test_the_next_click_of_an_object_asks_for_no_draft_when_its_task_was_opened() -> None:
    page, begun = ClickedPage(), point("p", 60, 60)
    page.ask(begun)
    page.open()
    n_asked = site_of().n_asked_for_drafts
    (more,) = page.ask(begun, point("q", 110, 60))
    assert mask_of(more)[60, [45, 110]].all()
    assert site_of().n_asked_for_drafts == n_asked


def test_a_polygon_that_was_given_another_label_keeps_it_when_the_other_one_is_corrected() -> None:
    page = ClickedPage(config=POLYGON.format(""))
    first, second = page.ask(point("p", 40, 60), point("q", 120, 60))
    dog = {**second, "value": {**second["value"], "polygonlabels": ["Dog"]}}
    page.save(first, dog)
    (taken,) = page.ask(point("n", 40, 76, is_positive=False))
    assert (taken["id"], taken["value"]["polygonlabels"]) == (first["id"], ["Cat"])
    page.save(taken, dog)
    (other,) = page.ask(point("m", 120, 76, is_positive=False))
    assert (other["id"], other["value"]["polygonlabels"]) == (second["id"], ["Dog"])


@pytest.mark.parametrize("is_saved", [False, True])
def test_a_click_that_took_a_mask_away_whole_is_forgotten_with_its_answer(is_saved: bool) -> None:
    page = ClickedPage()
    first = page.click("p", 60, 60)
    page.save(first)
    assert page.ask(point("n", 60, 60, is_positive=False)) == []  # and is thrown away
    if is_saved:
        page.save(first)
    taken = page.click("m", 60, 79, is_positive=False)
    assert taken["id"] == first["id"]
    assert mask_of(taken)[50, 60]
    assert not mask_of(taken)[79, 60]
    unsaved = page.click("q", 150, 60)
    assert page.ask(point("o", 150, 60, is_positive=False)) == []
    assert page.click("l", 150, 79, is_positive=False)["id"] == unsaved["id"]


def test_a_configuration_for_other_backends_works_as_it_is() -> None:
    labels = '<Label value="Banana"/><Label value="Orange"/>'
    page = ClickedPage(
        config=f"""<View><Image name="image" value="$image" zoom="true"/>
        <BrushLabels name="tag" toName="image">{labels}</BrushLabels>
        <KeyPointLabels name="kp-1" toName="image" smart="true">{labels}</KeyPointLabels>
        <RectangleLabels name="rect-1" toName="image" smart="true">{labels}</RectangleLabels>
        </View>"""
    )
    box = rectangle("b", 20, 20, 90, 100)
    box = {**box, "from_name": "rect-1", "value": {**box["value"], "rectanglelabels": ["Orange"]}}
    (boxed,) = page.ask(box)
    assert (boxed["from_name"], boxed["value"]["brushlabels"]) == ("tag", ["Orange"])
    clicked = {**point("p", 150, 60, label="Orange"), "from_name": "kp-1"}
    (new,) = page.ask(clicked)
    assert (new["from_name"], new["value"]["brushlabels"]) == ("tag", ["Orange"])
    assert new["id"] != boxed["id"]


def test_a_control_for_touch_screens_says_not_this() -> None:
    config = BRUSH.format("").replace(
        "</View>", '<KeyPoint name="not-this" toName="image" negative="true"/></View>'
    )
    page = ClickedPage(config=config)
    this = {**point("p", 60, 60), "from_name": "click"}
    (first,) = page.ask(this)
    away = {**point("n", 75, 60), "from_name": "not-this", "type": "keypoint"}
    (taken,) = page.ask(away)
    assert taken["id"] == first["id"]
    assert not mask_of(taken)[60, 75]
    (added,) = page.ask(this, {**point("q", 60, 80), "from_name": "click"})
    assert added["id"] == first["id"]
    assert mask_of(added)[95, 60]
    assert not mask_of(added)[60, 75]
