"""Work without the way to the check: what a click means after masks that were accepted at once.

The answers go through the whole application; what the page does with them is for the browser tests.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray

from backend.answering.encoding import Encoded, MaskEncoder
from backend.label_studio import brush_rle
from backend.models.served import ServedModels
from backend.server.app import create_app
from backend.settings import Settings
from tests.fakes import DiskSegmenter
from tests.unit.backend.page import (
    BRUSH,
    HEIGHT,
    POLYGON,
    WIDTH,
    ProjectSite,
    point,
    request,
    row,
    saved,
    settings_of,
)

_AUTO = BRUSH.format(' autoAccept="true"')


class _Page:
    """A page that accepts each answer at once."""

    def __init__(self, settings: Settings | None = None, config: str = BRUSH.format("")) -> None:
        self.segmenter = DiskSegmenter()
        models = ServedModels(lambda checkpoint: self.segmenter, version="disks-1")
        self.client: FlaskClient = create_app(
            settings or settings_of(), models=models
        ).test_client()
        self.config = config
        self.task: dict[str, Any] = {}

    def ask(self, *prompts: dict[str, Any], **task: object) -> list[dict[str, Any]]:
        body = request(*prompts, config=self.config, **{**self.task, **task})
        answer = self.client.post("/predict", json=body)
        assert answer.status_code == 200, answer.json
        rows: list[dict[str, Any]] = answer.json["results"][0]["result"]
        return rows

    def click(self, name: str, x: float, y: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        (region,) = self.ask(point(name, x, y, **more))
        return region

    def save(self, *rows: dict[str, Any], **more: object) -> None:
        """Save a draft."""
        self.task = {"drafts": [saved(*rows, id=1, annotation=None, **more)]}


def _mask(row: dict[str, Any]) -> NDArray[np.bool_]:
    return brush_rle.decode(row["value"]["rle"], height=HEIGHT, width=WIDTH) > 127


def _beside(placed: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A point that is placed while a mask is selected comes twice."""
    return placed, {**placed, "type": "brushlabels", "from_name": "mask"}


def _rectangle(name: str, left: float, top: float, right: float, bottom: float) -> dict[str, Any]:
    value = {
        "x": left / WIDTH * 100,
        "y": top / HEIGHT * 100,
        "width": (right - left) / WIDTH * 100,
        "height": (bottom - top) / HEIGHT * 100,
        "rotation": 0,
        "rectanglelabels": ["Dog"],
    }
    return {**point(name, 0, 0), "type": "rectanglelabels", "from_name": "box", "value": value}


def test_clicks_beside_what_was_answered_make_new_objects_that_keep_clear_of_it() -> None:
    page = _Page()
    first, second = page.click("p", 60, 60), page.click("q", 90, 60)
    assert first["id"] != second["id"]
    assert not (_mask(first) & _mask(second)).any()


@pytest.mark.parametrize("is_saved", [False, True])
def test_alt_and_ctrl_on_a_mask_take_away_there_at_once_and_later(is_saved: bool) -> None:
    page = _Page()
    first = page.click("p", 60, 60)
    if is_saved:
        page.save(first)
    second = page.click("q", 60, 75, is_positive=False)
    assert second["id"] == first["id"]
    assert _mask(second)[50, 60]
    assert not _mask(second)[75, 60]
    assert len(page.segmenter.clicks) == 2  # as if it had not been accepted


def test_alt_beside_all_masks_takes_from_the_last_object() -> None:
    page = _Page()
    page.click("p", 30, 60)
    last = page.click("q", 100, 60)
    taken = page.click("n", 125, 60, is_positive=False)
    assert taken["id"] == last["id"]
    assert _mask(taken)[60, 95]
    assert not _mask(taken)[60, 110]
    page.save(last)
    assert page.click("m", 140, 60, is_positive=False)["id"] == last["id"]


def test_a_mask_that_the_page_saved_no_more_never_comes_back() -> None:
    page = _Page()
    first, undone = page.click("p", 30, 60), page.click("q", 100, 60)
    page.save(first)
    taken = page.click("n", 60, 60, is_positive=False)
    assert taken["id"] == first["id"]  # the last one that stands
    page.save()
    assert page.ask(point("m", 100, 60, is_positive=False)) == []
    assert page.click("r", 100, 62)["id"] not in (first["id"], undone["id"])


def test_a_click_on_a_mask_that_may_have_been_undone_shows_nothing_of_it() -> None:
    page = _Page()
    first = page.click("p", 60, 60)
    again = page.click("q", 70, 60)
    assert again["id"] == first["id"]  # of two masks there is one, whether it was undone or not
    assert not _mask(again)[60, 45]
    alone = _Page().click("q", 70, 60)
    np.testing.assert_array_equal(_mask(again), _mask(alone))


def test_after_some_seconds_without_a_draft_an_answer_no_longer_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = _Page()
    page.click("p", 60, 60)
    monkeypatch.setattr("backend.answering.on_page._UNSAVED_S", 0.0)
    assert page.ask(point("n", 60, 60, is_positive=False)) == []


def test_nobody_gets_what_others_were_answered() -> None:
    page = _Page(settings_of(maximum_annotations=2))
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
    first = _Page(settings).click("p", 60, 60)
    assert _Page(settings).click("q", 60, 75, is_positive=False)["id"] == first["id"]


def test_what_somebody_drew_on_an_answer_is_what_is_edited() -> None:
    page = _Page()
    first = page.click("p", 60, 60)
    drawn = _mask(first)
    drawn[100:110, 150:180] = True
    page.save(row(first["id"], drawn))
    edited = _mask(page.click("q", 60, 75, is_positive=False))
    assert edited[105, 160]
    assert not edited[75, 60]


def test_the_little_that_somebody_drew_on_a_large_answer_stays() -> None:
    page = _Page()
    (first,) = page.ask(_rectangle("b", 10, 10, 190, 110))
    drawn = _mask(first)
    drawn[2:6, 100:105] = True  # 20 of 18,000 pixels
    page.save(row(first["id"], drawn, "Dog"))
    edited = _mask(page.click("n", 30, 60, label="Dog", is_positive=False))
    assert edited[2:6, 100:105].all()
    assert not edited[60, 30]


def test_a_click_beside_a_selected_mask_adds_to_it_and_alt_takes_from_it() -> None:
    page = _Page(config=_AUTO)
    first, second = page.click("p", 30, 60), page.click("q", 150, 60)
    (added,) = page.ask(*_beside(point("r", 60, 60)))
    assert added["id"] == first["id"]
    assert _mask(added)[60, 75]
    page.save(added, second)
    (taken,) = page.ask(*_beside(point("n", 120, 60, is_positive=False)))
    assert taken["id"] == second["id"]
    assert not _mask(taken)[60, 135]


def test_no_answer_that_waits_for_its_check_has_the_id_of_a_mask_that_is_selected() -> None:
    page = _Page()
    first = page.click("p", 30, 60)
    (new,) = page.ask(*_beside(_rectangle("b", 14, 44, 46, 76)))
    assert new["id"] != first["id"]
    page.save(first)
    (new,) = page.ask(*_beside(point("r", 150, 60)))
    assert new["id"] != first["id"]
    page.save(first, new)
    assert page.ask(*_beside(point("n", 90, 60, is_positive=False))) == []


@pytest.mark.parametrize("attribute", ["", ' autoAccept="true"'])
def test_alt_beside_all_masks_edits_none_that_generic_labels_may_hide_the_selection_of(
    attribute: str,
) -> None:
    labels = '<Labels name="label" toName="image"><Label value="Cat"/><Label value="Dog"/></Labels>'
    brush = f'{labels}<Brush name="mask" toName="image"{attribute}/>'
    points = '<KeyPoint name="click" toName="image"/>'
    config = f'<View><Image name="image" value="$image"/>{brush}{points}</View>'
    page = _Page(config=config)
    first = page.ask(point("p", 30, 60))
    page.save(*first)
    taken = page.ask(point("n", 100, 60, is_positive=False))
    assert {row["id"] for row in taken} == ({first[0]["id"]} if attribute else set())


@pytest.mark.parametrize("config", [BRUSH.format(""), _AUTO])
@pytest.mark.parametrize("is_positive", [False, True])
def test_a_click_on_a_mask_means_it_also_where_its_label_is_still_chosen(
    config: str, is_positive: bool
) -> None:
    page = _Page(config=config)
    first, second = page.click("p", 30, 60), page.click("q", 150, 60)
    page.save(first, second)
    (edited,) = page.ask(*_beside(point("r", 35, 60, is_positive=is_positive)))
    assert edited["id"] == first["id"]


def test_among_several_annotators_answers_count_from_the_first_draft_on() -> None:
    page = _Page(settings_of(maximum_annotations=2))
    first = page.click("p", 30, 60)
    assert page.ask(point("m", 30, 65, is_positive=False)) == []
    page.save(first)
    second = page.click("q", 120, 60)
    assert page.click("n", 120, 65, is_positive=False)["id"] == second["id"]


def test_points_faster_than_answers_are_objects_of_their_own_with_auto_accept() -> None:
    page = _Page(config=_AUTO)
    placed = [point(name, x, 60) for name, x in (("a", 30), ("b", 80), ("c", 130))]
    (first,) = page.ask(placed[0])
    rows = page.ask(*placed)
    assert len({region["id"] for region in rows}) == 3
    assert rows[0]["id"] == first["id"]
    assert all(_mask(region)[60, x] for region, x in zip(rows, (30, 80, 130), strict=True))
    assert page.ask(*placed[1:])[0]["id"] == rows[1]["id"]
    again = page.ask(*placed[1:], point("n", 145, 60, is_positive=False))
    assert again[1]["id"] == rows[2]["id"]
    assert not _mask(again[1])[60, 140]


def test_points_faster_than_answers_beside_a_selected_mask_all_add_to_it() -> None:
    page = _Page(config=_AUTO)
    first = page.click("p", 30, 60)
    page.save(first)
    (added,) = page.ask(*_beside(point("r", 60, 60)), *_beside(point("s", 90, 60)))
    assert added["id"] == first["id"]
    assert _mask(added)[60, [30, 60, 90]].all()


def test_no_two_objects_of_one_answer_have_one_id() -> None:
    page = _Page(config=_AUTO)
    placed = [point("n", 10, 10, is_positive=False), point("a", 60, 60), point("b", 130, 60)]
    assert page.ask(placed[0]) == []  # the page keeps a point that brought nothing
    (first,) = page.ask(*placed[:2])
    rows = page.ask(*placed)
    assert [found["id"] == first["id"] for found in rows] == [True, False]
    np.testing.assert_array_equal(_mask(rows[0]), _mask(first))


def test_a_point_on_a_mask_that_was_not_shown_yet_is_an_object_of_its_own() -> None:
    page = _Page(config=_AUTO)
    placed = [point("a", 60, 60), point("b", 70, 60)]
    (first,) = page.ask(placed[0])
    rows = page.ask(*placed)
    assert [region["id"] == first["id"] for region in rows] == [True, False]
    assert [region["id"] for region in page.ask(*placed)] == [region["id"] for region in rows]


def test_an_answer_that_was_overtaken_while_it_was_encoded_is_no_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, points, shown = _Page(), [point("p", 60, 60), point("q", 80, 60)], []
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
    assert len(_Page().ask(point("a", 30, 60), point("b", 130, 60))) == 1


def test_points_of_an_accepted_object_are_dead() -> None:
    page = _Page()
    left_behind = point("p", 30, 60)
    (first,) = page.ask(left_behind)
    page.save(first, {**left_behind, "from_name": "click"})
    (second,) = page.ask(left_behind, point("q", 130, 60))
    assert second["id"] != first["id"]
    assert not _mask(second)[60, 30]


def test_an_accepted_objects_points_that_are_sent_on_stay_dead() -> None:
    page = _Page()
    other, left_behind = page.click("o", 150, 100), point("p", 60, 60)
    page.save(other)
    (first,) = page.ask(left_behind)
    page.save(other, first, {**left_behind, "from_name": "click"})
    points = [left_behind, point("n", 75, 60, is_positive=False), point("q", 80, 80)]
    assert page.ask(*points[:2])[0]["id"] == first["id"]
    assert page.ask(*points)[0]["id"] == first["id"]
    assert page.ask(*points, point("r", 110, 80))[0]["id"] == first["id"]


def test_clicks_that_begin_on_a_mask_before_it_is_saved_add_to_it_once_it_is() -> None:
    page, begun = _Page(), point("q", 70, 60)
    first = page.click("p", 60, 60)
    page.ask(begun)
    page.save(first, {**begun, "from_name": "click"})
    (added,) = page.ask(begun, point("r", 110, 60))
    assert added["id"] == first["id"]
    assert _mask(added)[60, [45, 70, 110]].all()
    (more,) = page.ask(begun, point("r", 110, 60), point("s", 150, 60))
    assert more["id"] == first["id"]
    assert _mask(more)[60, [45, 70, 110, 150]].all()


def test_a_click_that_is_moved_off_a_mask_before_its_check_leaves_the_mask_alone() -> None:
    page = _Page()
    first = page.click("p", 60, 60)
    page.click("q", 70, 60)
    page.save(first, {**point("q", 70, 60), "from_name": "click"})
    moved = page.click("q", 140, 60)
    assert moved["id"] != first["id"]
    (more,) = page.ask(point("q", 140, 60), point("r", 160, 60))
    assert more["id"] == moved["id"]


def test_a_box_gives_a_mask_with_its_label_and_a_click_in_it_corrects_it() -> None:
    page = _Page()
    (first,) = page.ask(_rectangle("b", 20, 20, 90, 100))
    assert first["value"]["brushlabels"] == ["Dog"]
    assert _mask(first)[60, 50]
    (taken,) = page.ask(point("n", 85, 60, is_positive=False, label="Dog"))
    assert taken["id"] == first["id"]
    assert _mask(taken)[30, 30]
    assert not _mask(taken)[60, 85]
    (both,) = page.ask(
        point("n", 85, 60, is_positive=False, label="Dog"), point("p", 95, 100, label="Dog")
    )
    assert both["id"] == first["id"]
    assert _mask(both)[100, 97]
    assert not _mask(both)[60, 85]
    far = page.click("q", 170, 30, label="Dog")
    assert far["id"] != first["id"]


def test_clicks_on_a_boxs_mask_that_was_saved_correct_it_together() -> None:
    page = _Page()
    (first,) = page.ask(_rectangle("b", 20, 20, 90, 100))
    page.save(first)
    away, more = (
        point("n", 85, 60, is_positive=False, label="Dog"),
        point("p", 95, 100, label="Dog"),
    )
    assert page.ask(away)[0]["id"] == first["id"]
    (both,) = page.ask(away, more)
    assert both["id"] == first["id"]
    assert _mask(both)[100, 97]
    assert _mask(both)[30, 30]
    assert not _mask(both)[60, 85]


def test_a_click_in_somebody_elses_box_is_an_object_of_its_own() -> None:
    site = ProjectSite(maximum_annotations=2)
    page, drawn = _Page(site.settings()), _rectangle("b", 20, 20, 90, 100)
    (theirs,) = page.ask(drawn)
    click = point("p", 95, 104, label="Dog")
    site.drafts = [saved(click, id=2, annotation=None)]
    (mine,) = page.ask(click)
    assert mine["id"] != theirs["id"]
    assert not _mask(mine)[60, 50]
    again = point("q", 95, 103, label="Dog")
    site.drafts = [saved({**drawn, "type": "rectangle"}, again, id=1, annotation=None)]
    (corrected,) = page.ask(again)  # whose draft has the box
    assert corrected["id"] == theirs["id"]
    assert _mask(corrected)[60, 50]


def test_a_click_with_another_label_in_a_box_is_an_object_of_its_own() -> None:
    page = _Page()
    (dog,) = page.ask(_rectangle("b", 20, 20, 90, 100))
    cat = page.click("p", 60, 60)
    assert cat["id"] != dog["id"]
    assert cat["value"]["brushlabels"] == ["Cat"]


def test_a_box_is_forgotten_when_the_task_is_opened_again() -> None:
    page = _Page()
    (lost,) = page.ask(_rectangle("b", 20, 20, 90, 100))
    opening = request(config=page.config)
    opening["params"]["context"] = None
    assert page.client.post("/predict", json=opening).status_code == 200
    new = page.click("p", 95, 104, label="Dog")
    assert new["id"] != lost["id"]
    assert not _mask(new)[60, 50]


@pytest.mark.parametrize("is_opened", [True, False])
def test_a_correction_that_a_reload_lost_does_not_come_back(is_opened: bool) -> None:
    page, away = _Page(), {**point("n", 45, 60, is_positive=False), "from_name": "click"}
    first = page.click("p", 60, 60)
    page.save(first)
    assert not _mask(page.ask(away)[0])[60, 45]
    if is_opened:
        opening = request(config=page.config, **page.task)
        opening["params"]["context"] = None
        assert page.client.post("/predict", json=opening).status_code == 200
    else:  # which Label Studio does not tell of a task with a prediction
        page.save(first, {name: part for name, part in away.items() if name != "is_positive"})
    later = _mask(page.click("m", 60, 79, is_positive=False))
    assert later[60, 45]
    assert not later[79, 60]


def test_a_box_around_what_may_have_been_undone_makes_it_anew() -> None:
    page = _Page()
    (first,) = page.ask(_rectangle("b", 20, 20, 90, 100))
    (again,) = page.ask(_rectangle("c", 24, 20, 94, 100))
    assert again["id"] == first["id"]  # of two masks there is one, whether it was undone or not
    assert _mask(again)[60, 30:90].all()
    (other,) = page.ask(_rectangle("d", 20, 20, 180, 110))  # of something larger
    assert other["id"] != first["id"]
    assert not (_mask(other) & _mask(again)).any()
    page.save(again)
    (beside,) = page.ask(_rectangle("e", 20, 22, 94, 104))  # what was saved is left alone
    assert beside["id"] != first["id"]


def test_a_box_that_was_accepted_at_once_takes_no_further_click() -> None:
    page = _Page(config=_AUTO)
    (first,) = page.ask(_rectangle("b", 20, 20, 60, 100))
    (second,) = page.ask(point("p", 61, 60, label="Dog"))
    assert second["id"] != first["id"]
    rows = page.ask(_rectangle("c", 100, 20, 130, 50), _rectangle("d", 140, 20, 170, 50))
    assert len(rows) == 1  # of several that are sent the newest counts, and those just answered
    assert len(page.ask(_rectangle("d", 140, 20, 170, 50), _rectangle("e", 140, 60, 170, 90))) == 2


def test_ctrl_on_two_masks_of_one_label_joins_them() -> None:
    page = _Page()
    first, second = page.click("p", 30, 60), page.click("q", 120, 60)
    page.save(first, second)
    (joined,) = page.ask(point("r", 30, 60), point("s", 120, 60))
    assert joined["id"] == first["id"]
    assert (_mask(joined) & _mask(second)).sum() == _mask(second).sum()
    assert second["id"] in joined["meta"]["text"][0]
    page.save(joined, second)  # it was not deleted
    assert page.click("t", 120, 58)["id"] == second["id"]


def test_masks_are_joined_click_by_click_and_an_undone_click_takes_its_mask_back() -> None:
    page = _Page()
    first, second = page.click("p", 30, 60), page.click("q", 120, 60)
    page.save(first, second)
    on_first, on_second = point("r", 30, 62), point("s", 120, 62)
    assert page.ask(on_first)[0]["id"] == first["id"]
    (joined,) = page.ask(on_first, on_second)
    assert joined["id"] == first["id"]
    assert (_mask(joined) & _mask(second)).sum() == _mask(second).sum()
    assert second["id"] in joined["meta"]["text"][0]
    (without,) = page.ask(on_first, point("t", 34, 62))
    assert not (_mask(without) & _mask(second)).any()
    assert "meta" not in without


def test_a_mask_that_another_one_took_in_does_not_come_back_before_the_page_has_saved() -> None:
    page = _Page()
    first, second = page.click("p", 30, 60), page.click("q", 120, 60)
    page.save(first, second)
    page.ask(point("r", 30, 62), point("s", 120, 62))
    assert page.click("t", 120, 58)["id"] == first["id"]  # the second one was deleted


@pytest.mark.parametrize("is_saved", [False, True])
def test_the_page_is_told_to_delete_a_polygon_that_was_clicked_away(is_saved: bool) -> None:
    page = _Page(config=POLYGON.format(""))
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


def test_a_polygon_that_was_given_another_label_keeps_it_when_the_other_one_is_corrected() -> None:
    page = _Page(config=POLYGON.format(""))
    first, second = page.ask(point("p", 40, 60), point("q", 120, 60))
    dog = {**second, "value": {**second["value"], "polygonlabels": ["Dog"]}}
    page.save(first, dog)
    (taken,) = page.ask(point("n", 40, 76, is_positive=False))
    assert (taken["id"], taken["value"]["polygonlabels"]) == (first["id"], ["Cat"])
    page.save(taken, dog)
    (other,) = page.ask(point("m", 120, 76, is_positive=False))
    assert (other["id"], other["value"]["polygonlabels"]) == (second["id"], ["Dog"])


def test_nothing_is_said_of_a_polygon_that_was_never_accepted() -> None:
    page = _Page(config=POLYGON.format(""))
    points = [point("p", 40, 60), point("q", 120, 60)]
    assert len(page.ask(*points)) == 2
    (left,) = page.ask(points[0])
    assert "meta" not in left


def test_a_mask_without_pixels_is_never_sent() -> None:
    page = _Page(config=_AUTO)
    page.click("p", 60, 60)
    assert page.ask(point("n", 60, 60, is_positive=False)) == []
    assert page.click("q", 60, 62)["id"]


@pytest.mark.parametrize("is_saved", [False, True])
def test_a_click_that_took_a_mask_away_whole_is_forgotten_with_its_answer(is_saved: bool) -> None:
    page = _Page()
    first = page.click("p", 60, 60)
    page.save(first)
    assert page.ask(point("n", 60, 60, is_positive=False)) == []  # and is thrown away
    if is_saved:
        page.save(first)
    taken = page.click("m", 60, 79, is_positive=False)
    assert taken["id"] == first["id"]
    assert _mask(taken)[50, 60]
    assert not _mask(taken)[79, 60]
    unsaved = page.click("q", 150, 60)
    assert page.ask(point("o", 150, 60, is_positive=False)) == []
    assert page.click("l", 150, 79, is_positive=False)["id"] == unsaved["id"]


def test_a_configuration_for_other_backends_works_as_it_is() -> None:
    labels = '<Label value="Banana"/><Label value="Orange"/>'
    page = _Page(
        config=f"""<View><Image name="image" value="$image" zoom="true"/>
        <BrushLabels name="tag" toName="image">{labels}</BrushLabels>
        <KeyPointLabels name="kp-1" toName="image" smart="true">{labels}</KeyPointLabels>
        <RectangleLabels name="rect-1" toName="image" smart="true">{labels}</RectangleLabels>
        </View>"""
    )
    box = _rectangle("b", 20, 20, 90, 100)
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
    page = _Page(config=config)
    this = {**point("p", 60, 60), "from_name": "click"}
    (first,) = page.ask(this)
    away = {**point("n", 75, 60), "from_name": "not-this", "type": "keypoint"}
    (taken,) = page.ask(away)
    assert taken["id"] == first["id"]
    assert not _mask(taken)[60, 75]
    (added,) = page.ask(this, {**point("q", 60, 80), "from_name": "click"})
    assert added["id"] == first["id"]
    assert _mask(added)[95, 60]
    assert not _mask(added)[60, 75]


def _labels(row: dict[str, Any]) -> list[str]:
    labels: list[str] = row["value"]["brushlabels"]
    return labels


def _plain(name: str, x: float, y: float) -> dict[str, Any]:
    """A point of a `<KeyPoint>` while no label is chosen."""
    placed = point(name, x, y)
    value = {"x": placed["value"]["x"], "y": placed["value"]["y"]}
    return {**placed, "type": "keypoint", "from_name": "click", "value": value}


def test_a_click_without_a_label_gets_that_of_the_last_object() -> None:
    page = _Page()
    (first,) = page.ask(_plain("o", 30, 30))
    dog = page.click("p", 30, 100, label="Dog")
    (after,) = page.ask(_plain("q", 100, 30))
    assert [_labels(region) for region in (first, dog, after)] == [["Cat"], ["Dog"], ["Dog"]]
    page.save(first, dog, {**after, "value": {**after["value"], "brushlabels": ["Cat"]}})
    (later,) = page.ask(_plain("r", 100, 100))
    assert _labels(later) == ["Cat"]  # what it was changed to


def test_a_click_without_a_label_gets_none_of_an_undone_object() -> None:
    page = _Page()
    cat, _ = page.click("p", 30, 60), page.click("q", 100, 60, label="Dog")
    page.save(cat)
    (later,) = page.ask(_plain("r", 160, 60))
    assert _labels(later) == ["Cat"]


def test_alt_on_a_mask_of_another_label_takes_away_there() -> None:
    page = _Page()
    cat = page.click("p", 30, 60)
    dog = page.click("q", 120, 60, label="Dog")
    taken = page.click("n", 30, 70, label="Dog", is_positive=False)
    assert (taken["id"], _labels(taken)) == (cat["id"], ["Cat"])
    assert not _mask(taken)[70, 30]
    beside = page.click("m", 160, 60, label="Dog", is_positive=False)
    assert beside["id"] == dog["id"]
