"""Masks that are there already: clicked on they are edited, clicked beside they are kept clear of.

The answers go through the whole application; what the page does with them is for the browser tests.
"""

from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray

from backend.label_studio import brush_rle
from backend.models.served import ServedModels
from backend.server.app import create_app
from backend.settings import Settings
from mfp_model.masks.polygons import mask_of, polygons_of
from tests.fakes import DiskSegmenter
from tests.unit.backend.page import (
    BRUSH,
    HEIGHT,
    POLYGON,
    WIDTH,
    ProjectSite,
    box,
    faint_rle,
    point,
    request,
    row,
    saved,
    settings_of,
    site_of,
)


def _client(settings: Settings | None = None) -> FlaskClient:
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    return create_app(settings or settings_of(), models=models).test_client()


def _answer(
    client: FlaskClient,
    *points: dict[str, Any],
    config: str = BRUSH.format(""),
    **task: object,
) -> list[dict[str, Any]]:
    body = request(*points, config=config, **task)
    if "drafts" not in task and task.get("annotations"):  # the page saves one of the submitted
        rows = task["annotations"][0]["result"]  # type: ignore[index]
        site_of().drafts = [saved(*rows, *points, annotation=5)]
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.json
    rows: list[dict[str, Any]] = answer.json["results"][0]["result"]
    return rows


def _mask(row: dict[str, Any]) -> NDArray[np.bool_]:
    return brush_rle.decode(row["value"]["rle"], height=HEIGHT, width=WIDTH) > 127


CAT = box(20, 20, 80, 100)


@pytest.mark.parametrize("place", ["annotations", "drafts", "predictions"])
def test_a_mask_that_is_clicked_on_is_answered_under_its_id(place: str) -> None:
    there = saved(row("r1", CAT))
    (region,) = _answer(_client(), point("p1", 70, 60), point("p2", 90, 60), **{place: [there]})
    assert region["id"] == "r1"
    mask = _mask(region)
    assert (mask & CAT).sum() == CAT.sum()
    assert mask[60, 95]
    assert not mask[60, 120]


@pytest.mark.parametrize("name", ["r" * 150, "r\0", "r\ud800"])
def test_a_mask_keeps_its_id_of_any_letters_with_each_further_click(name: str) -> None:
    client, there = _client(), saved(row(name, CAT), row("r" * 149, box(120, 20, 140, 100)))
    points = [point(f"p{x}", x, 60) for x in (70, 90, 100)]
    for n_points in (1, 2, 3):
        (region,) = _answer(client, *points[:n_points], drafts=[there])
        assert region["id"] == name
        assert not _mask(region)[60, 121]
    accepted = saved(region, row("r" * 149, box(120, 20, 140, 100)))
    (region,) = _answer(client, point("n", 30, 90, is_positive=False), drafts=[accepted])
    assert region["id"] == name


def test_too_much_goes_by_a_first_negative_click() -> None:
    there = saved(row("r1", CAT))
    (region,) = _answer(_client(), point("p", 25, 25, is_positive=False), annotations=[there])
    assert region["id"] == "r1"
    assert not _mask(region)[25, 25]
    assert _mask(region)[90, 70]
    beside = point("p", 150, 60, is_positive=False)
    assert _answer(_client(), beside, annotations=[there]) == []


def test_a_mask_saved_while_the_page_showed_the_image_turned_is_edited_like_others() -> None:
    there = saved(row("r1", CAT, image_rotation=90))
    click = {**point("p", 25, 25, is_positive=False), "image_rotation": 90}
    (region,) = _answer(_client(), click, drafts=[there])
    assert region["id"] == "r1"
    assert not _mask(region)[25, 25]


def test_a_read_only_mask_is_kept_clear_of_and_never_edited() -> None:
    client, there = _client(), saved(row("r1", CAT, readonly=True))
    (beside,) = _answer(client, point("p1", 100, 60), drafts=[there])
    assert not (_mask(beside) & CAT).any()
    (inside,) = _answer(client, point("p2", 50, 60), drafts=[there])
    assert inside["id"] != "r1"
    assert _mask(inside)[60, 50]
    assert _answer(client, point("p3", 50, 60, is_positive=False), drafts=[there]) == []


def test_what_was_said_of_a_mask_comes_with_its_edit() -> None:
    there = row("there", CAT)
    choice = {**there, "type": "choices", "from_name": "state"}
    choice["value"] = {**there["value"], "choices": ["bad"]}
    mask, said = _answer(_client(), point("p", 60, 60), drafts=[saved(there, choice)])
    assert (mask["id"], mask["type"]) == ("there", "brushlabels")
    assert (said["id"], said["from_name"], said["value"]["choices"]) == ("there", "state", ["bad"])


def test_keeping_clear_leaves_no_splinter_and_fills_no_hole_that_is_another_mask() -> None:
    strip, small = box(60, 30, 140, 50), box(98, 70, 101, 73)
    strip[44, 100] = False  # in the disk that answers
    there = saved(row("strip", strip), row("small", small))
    (region,) = _answer(_client(), point("p", 100, 60), drafts=[there])
    mask = _mask(region)
    assert mask[60, 100]
    assert not (mask & (strip | small)).any()
    assert not mask[44, 100]


@pytest.mark.parametrize("page", [None, 0, 1])
def test_a_mask_in_a_relation_is_edited_with_auto_accept_only(page: int | None) -> None:
    index = {} if page is None else {"item_index": page}
    there = row("there", CAT, **index)
    relation = {"type": "relation", "from_id": "other", "to_id": "there", "direction": "right"}
    drafts, click = [saved(there, relation)], point("p", 60, 60) | index
    paged = 'valueList="$images"' if page is not None else 'value="$image"'
    config = BRUSH.replace('value="$image"', paged)
    body = request(click, config=config.format(' autoAccept="true"'), drafts=drafts)
    data = body["tasks"][0]["data"]
    data["images"] = [data["image"]] * 2
    client = _client()
    (edited,) = client.post("/predict", json=body).json["results"][0]["result"]
    assert edited["id"] == "there"
    refused = client.post("/predict", json={**body, "label_config": config.format("")})
    assert refused.json["results"] == []
    assert "region there is in a relation" in client.get("/").text


@pytest.mark.parametrize("attribute", ["", ' autoAccept="true"'])
@pytest.mark.parametrize("sign", [True, False])
def test_a_click_with_alt_that_missed_every_mask_leaves_the_next_one_its_mask(
    attribute: str, sign: bool
) -> None:
    client, config, drafts = _client(), BRUSH.format(attribute), [saved(row("there", CAT))]
    missed = point("m", 150, 60, is_positive=False)
    assert _answer(client, missed, config=config, drafts=drafts) == []
    hit = point("n", 70, 60, is_positive=sign)
    (region,) = _answer(client, missed, hit, config=config, drafts=drafts)
    assert region["id"] == "there"


def test_a_click_beside_all_masks_is_a_new_object_that_covers_none() -> None:
    there = saved(row("r1", CAT), row("r2", box(120, 20, 140, 100), "Dog"))
    (region,) = _answer(_client(), point("p", 100, 60), annotations=[there])
    assert region["id"] not in ("r1", "r2")
    mask = _mask(region)
    assert mask[60, 100]
    assert not (mask & (CAT | box(120, 20, 140, 100))).any()
    assert mask[60, 82]
    config = BRUSH.format(' overlaps="true"')
    (region,) = _answer(_client(), point("p", 85, 60), annotations=[there], config=config)
    assert _mask(region)[60, 75]


def test_a_click_of_another_label_makes_an_object_that_may_cover_what_it_claims() -> None:
    there = saved(row("r1", CAT))
    (region,) = _answer(_client(), point("p", 50, 60, label="Dog"), annotations=[there])
    assert region["id"] != "r1"
    assert region["value"]["brushlabels"] == ["Dog"]
    assert _mask(region)[60, 50]


def test_the_smaller_of_two_masks_is_meant() -> None:
    small = box(40, 40, 60, 60)
    there = saved(row("large", CAT), row("small", small))
    (region,) = _answer(_client(), point("p", 50, 50), drafts=[there])
    assert region["id"] == "small"


def test_an_edit_never_takes_from_its_prior_what_another_mask_has_too() -> None:
    other = box(60, 20, 120, 100)
    there = saved(row("r1", CAT), row("r2", other))
    (region,) = _answer(_client(), point("p", 30, 60), point("q", 55, 60), drafts=[there])
    mask = _mask(region)
    assert mask[:, :80][CAT[:, :80]].all()
    assert not mask[60, 81:].any()


def test_polygons_are_edited_and_keep_the_first_parts_id() -> None:
    (outline,) = polygons_of(CAT, max_error_px=0.5)
    points = (outline / [WIDTH, HEIGHT] * 100).tolist()
    drawn = row("r1", CAT, type="polygonlabels")
    drawn["value"] = {"points": points, "closed": True, "polygonlabels": ["Cat"]}
    config = POLYGON.format("")
    (region,) = _answer(_client(), point("p", 75, 60), drafts=[saved(drawn)], config=config)
    assert region["id"] == "r1"
    corners = np.array(region["value"]["points"]) / 100 * [WIDTH, HEIGHT]
    mask = mask_of([corners], height=HEIGHT, width=WIDTH)
    assert mask[60, 90]
    assert (mask & CAT).sum() > 0.97 * CAT.sum()


def test_the_prior_stays_while_the_object_is_clicked_whatever_the_page_saves() -> None:
    client = _client()
    first = point("p1", 75, 60)
    _answer(client, first, drafts=[saved(row("r1", CAT))])
    damaged = saved(row("r1", box(60, 50, 80, 70)), {"id": "p1", "type": "keypointlabels"})
    (region,) = _answer(client, first, point("p2", 30, 30), drafts=[damaged])
    assert (_mask(region) & CAT).sum() == CAT.sum()


def test_a_second_edit_starts_from_the_first_before_the_page_has_saved_it() -> None:
    settings = settings_of()
    draft = saved(row("r1", CAT))
    _answer(_client(settings), point("p1", 75, 60), drafts=[draft])
    # Another worker, the same draft, which may have the points that accepting removed.
    waiting = {"id": "p1", "type": "keypointlabels", "is_positive": True}
    for stale in (draft, saved(row("r1", CAT), waiting)):
        (region,) = _answer(_client(settings), point("q1", 90, 60), drafts=[stale])
        assert region["id"] == "r1"
        assert _mask(region)[60, 85]
        _answer(_client(settings), point("p1", 75, 60), drafts=[draft])
    dismissed = saved(row("r1", CAT))
    (region,) = _answer(_client(settings), point("q2", 25, 60), drafts=[dismissed])
    assert not _mask(region)[60, 85]


def test_in_a_task_for_several_people_only_the_annotation_with_the_points_counts() -> None:
    theirs = saved(row("theirs", CAT))
    client = _client(settings_of(maximum_annotations=2))
    (region,) = _answer(client, point("p", 50, 60), annotations=[theirs])
    assert region["id"] != "theirs"
    mine = saved(row("mine", CAT), {"id": "p", "type": "keypointlabels"})
    later = saved(row("later", CAT))
    (region,) = _answer(client, point("p", 50, 60), drafts=[mine, later], annotations=[theirs])
    assert region["id"] == "mine"


@pytest.mark.parametrize("sign", [True, False])
def test_of_two_drafts_that_with_the_click_counts_though_the_other_is_newer(sign: bool) -> None:
    site, click = ProjectSite(), point("p", 70, 60, is_positive=sign)
    first = saved(row("first", CAT), id=1, annotation=None)
    newest = saved(row("newest", box(150, 20, 180, 60)), id=2, annotation=None)
    site.drafts = [saved(row("first", CAT), click, id=1, annotation=None), newest]
    (region,) = _answer(_client(site.settings()), click, drafts=[first, newest])
    assert region["id"] == "first"
    beside = point("q", 100, 100)
    site.n_asked_for_drafts = 0
    (region,) = _answer(_client(site.settings()), beside, drafts=[first, newest])
    assert region["id"] not in ("first", "newest")
    assert not site.n_asked_for_drafts  # on neither draft there is anything


def test_a_draft_takes_the_place_of_its_annotation() -> None:
    annotation = {**saved(row("r1", box(0, 0, 200, 120))), "id": 5, "updated_at": "2027"}
    draft = saved(row("r1", CAT), annotation=5)
    (region,) = _answer(_client(), point("p", 50, 60), annotations=[annotation], drafts=[draft])
    assert not _mask(region)[10, 10]


def test_a_new_object_that_became_the_correction_of_a_mask_is_no_object_any_more() -> None:
    client, there = _client(settings_of(maximum_annotations=2)), row("there", CAT)
    first = point("p", 75, 60)
    (new,) = _answer(client, first, annotations=[saved(there, id=5)])
    assert new["id"] != "there"
    draft = saved(there, first, annotation=5)
    assert _answer(client, first, point("q", 40, 100), drafts=[draft])[0]["id"] == "there"
    # It was accepted, and the page has not saved it yet.
    (taken,) = _answer(client, point("n", 75, 75, is_positive=False), drafts=[draft])
    assert taken["id"] == "there"
    assert not _mask(taken)[75, 75]


def test_damaged_masks_are_no_masks(caplog: pytest.LogCaptureFixture) -> None:
    damaged = row("r1", CAT)
    damaged["value"]["rle"] = damaged["value"]["rle"][:20]
    odd = row("r2", CAT)
    odd["value"]["rle"] = ["x"]
    huge = row("r4", CAT)
    huge["value"]["rle"] = 10**30
    other_size = row("r3", CAT, original_width=WIDTH + 1)
    there = saved(damaged, odd, other_size, huge, "no row")  # type: ignore[arg-type]
    (region,) = _answer(_client(), point("p", 50, 60), annotations=[there])
    assert region["id"] not in ("r1", "r2", "r3")
    assert "r1" in caplog.text


def test_edits_are_answered_by_mfp_where_another_segmenter_is_chosen() -> None:
    config = BRUSH.format(' segmenter="graph-cut"')
    there = saved(row("r1", CAT))
    (region,) = _answer(_client(), point("p", 75, 60), drafts=[there], config=config)
    assert region["id"] == "r1"
    assert _mask(region)[60, 90]


def test_a_hundred_masks_around_are_kept_clear_of() -> None:
    rows = [
        row(f"r{i}", box(i % 20 * 10, i // 20 * 24, i % 20 * 10 + 5, i // 20 * 24 + 20))
        for i in range(100)
    ]
    (region,) = _answer(_client(), point("p", 97, 60), annotations=[saved(*rows)])
    mask = _mask(region)
    assert mask[60, 97]
    assert not mask[60, 90:95].any()


def test_a_mask_that_was_clicked_away_whole_is_not_answered_and_stays() -> None:
    client, small = _client(), box(100, 50, 110, 60)
    there = saved(row("r1", small))
    away = point("p", 105, 55, is_positive=False)
    assert _answer(client, away, drafts=[there]) == []
    (region,) = _answer(client, point("q", 106, 55), drafts=[there])
    assert region["id"] == "r1"
    assert _mask(region)[small].all()


@pytest.mark.parametrize("alpha", [1, 100, 127])
def test_a_faint_mask_is_edited_and_kept_clear_of_like_others(alpha: int) -> None:
    faint = row("r1", CAT)
    faint["value"]["rle"] = faint_rle(np.where(CAT, alpha, 0).astype(np.uint8))
    (region,) = _answer(_client(), point("p", 75, 60), drafts=[saved(faint)])
    assert region["id"] == "r1"
    assert _mask(region)[CAT].all()
    (beside,) = _answer(_client(), point("p", 90, 60), drafts=[saved(faint)])
    assert not (_mask(beside) & CAT).any()
    stroke = {"type": "add", "relativePoints": [60, 50, 62, 50], "relativeStrokeWidth": 2}
    faint["value"]["touches"] = [stroke]
    (painted,) = _answer(_client(), point("p", 75, 60), drafts=[saved(faint)])
    assert _mask(painted)[CAT].all()
    assert _mask(painted)[60, 122]


@pytest.mark.parametrize("begins", ["predictions", "drafts"])
def test_edits_of_two_people_who_began_with_the_same_prediction_do_not_meet(begins: str) -> None:
    client = _client(settings_of(maximum_annotations=2))
    prediction = saved(row("r1", CAT))

    def answer(name: str, *places: int, damaged: bool = False) -> NDArray[np.bool_]:
        points = [point(f"{name}{place}", place, 60) for place in places]
        there = {"predictions": [prediction]}
        if begins == "drafts" or damaged:
            rows = [row("r1", box(20, 50, 80, 70)), points[0]] if damaged else [row("r1", CAT)]
            there["drafts"] = [saved(*rows, id=name, annotation=None)]
        (region,) = _answer(client, *points, **there)
        assert region["id"] == "r1"
        return _mask(region)

    answer("mine", 75)
    answer("theirs", 25)
    mine = answer("mine", 75, 76, damaged=True)
    assert (mine & CAT).sum() == CAT.sum()
    theirs = answer("theirs", 25, 26, damaged=True)
    assert (theirs & CAT).sum() == CAT.sum()
    assert not theirs[60, 84]
