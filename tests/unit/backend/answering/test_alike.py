"""A point with the label “All like this” is answered with all of them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from backend.answering.answered import AnsweredObjects
from backend.answering.answered_object import AnsweredObject
from backend.label_studio.brush_rle import decode
from backend.label_studio.region_request import RegionRequest
from backend.label_studio.request import TaskRequest, parse_predict
from backend.models.served import ServedModels
from backend.server.app import create_app
from backend.settings import Settings
from backend.storage.packed_runs import unpack
from mfp_model.masks.runs import MaskRuns
from tests.fakes import DiskSegmenter
from tests.unit.backend.page import (
    HEIGHT,
    WIDTH,
    ProjectSite,
    point,
    request,
    row,
    saved,
    settings_of,
)

_CONFIG = """<View><Image name="image" value="$image"/><{kind} name="mask" toName="image">
<Label value="Cat"/><Label value="Dog"/></{kind}>
<KeyPointLabels name="click" toName="image"><Label value="Cat"/><Label value="Dog"/>
<Label value="All cats" alike="Cat"/></KeyPointLabels></View>"""
_PLACES = ((30, 30), (90, 40), (150, 30), (60, 90), (140, 85))
_RADIUS = 12


def _disk(x: int, y: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 < _RADIUS**2)


def _rectangle(name: str, x: int, y: int, kind: str) -> dict[str, Any]:
    """A rectangle around an object."""
    half = _RADIUS + 2
    value = {
        "x": (x - half) / WIDTH * 100,
        "y": (y - half) / HEIGHT * 100,
        "width": 2 * half / WIDTH * 100,
        "height": 2 * half / HEIGHT * 100,
        kind: ["All cats"],
    }
    return {**point(name, 0, 0), "type": kind, "from_name": "box", "value": value}


def _client(settings: Settings | None = None) -> FlaskClient:
    models = ServedModels(lambda checkpoint: DiskSegmenter(radius=_RADIUS), version="disks-1")
    return create_app(settings or settings_of(), models=models).test_client()


def _answer(
    *points: Any,  # noqa: ANN401
    kind: str = "BrushLabels",
    client: FlaskClient | None = None,
    config: str = _CONFIG,
    places: Iterable[tuple[int, int]] = _PLACES,
    **task: object,
) -> list[dict[str, Any]]:
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for place in places:
        image[_disk(*place)] = (220, 60, 40)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    body = request(*points, config=config.format(kind=kind), **task)
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    body["tasks"][0]["data"]["image"] = uri
    answer = (client or _client()).post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json["results"][0]["result"]
    return rows


def _at(rows: list[dict[str, Any]], place: tuple[int, int]) -> dict[str, Any]:
    """The row whose mask has a place."""
    (region,) = (candidate for candidate in rows if _mask(candidate)[place[1], place[0]])
    return region


def _mask(row: dict[str, Any]) -> NDArray[np.bool_]:
    return decode(row["value"]["rle"], height=HEIGHT, width=WIDTH) > 0


def _hit(rows: list[dict[str, Any]]) -> set[tuple[int, int]]:
    masks = [_mask(region) for region in rows]
    return {(x, y) for x, y in _PLACES for mask in masks if mask[y, x]}


def _open(client: FlaskClient) -> None:
    opening = request(config=_CONFIG.format(kind="BrushLabels"))
    opening["params"]["context"] = None
    assert client.post("/predict", json=opening).status_code == 200


def test_one_click_is_answered_with_each_object_under_the_label_that_is_meant() -> None:
    rows = _answer(point("p", *_PLACES[0], label="All cats"))
    assert _hit(rows) == set(_PLACES)
    assert len(rows) == len(_PLACES)
    assert {region["value"]["brushlabels"][0] for region in rows} == {"Cat"}
    assert len({region["id"] for region in rows}) == len(rows)
    assert all(0 < region["score"] <= 1 for region in rows)


def test_none_lies_over_masks_that_are_there_and_a_mask_may_be_the_example() -> None:
    there = saved(row("a", _disk(*_PLACES[0])), row("b", _disk(*_PLACES[1]), "Dog"))
    rows = _answer(point("p", *_PLACES[0], label="All cats"), drafts=[there])
    assert _hit(rows) == set(_PLACES[2:])


def test_none_lies_over_masks_that_are_there_where_others_may() -> None:
    there = saved(*(row(f"r{n}", _disk(*place)) for n, place in enumerate(_PLACES[:3])))
    config = _CONFIG.replace('name="mask"', 'name="mask" overlaps="true"')
    rows = _answer(point("p", *_PLACES[0], label="All cats"), drafts=[there], config=config)
    assert _hit(rows) == set(_PLACES[3:])


@pytest.mark.parametrize("kind", ["rectanglelabels", "labels"])
def test_a_box_may_be_the_example(kind: str) -> None:
    rows = _answer(_rectangle("p", *_PLACES[0], kind))
    assert _hit(rows) == set(_PLACES)
    assert len(rows) == len(_PLACES)


def test_what_was_accepted_just_now_is_an_example_that_keeps_its_place() -> None:
    client = _client()
    (first,) = _answer(point("p", *_PLACES[0]), client=client)
    rows = _answer(point("q", *_PLACES[0], label="All cats"), client=client)
    assert _hit(rows) == set(_PLACES)
    assert len(rows) == len(_PLACES)
    assert rows[0]["id"] == first["id"]


def test_a_mask_under_an_alias_may_be_the_example() -> None:
    there = saved(row("a", _disk(*_PLACES[0]), "cat-1"))
    config = _CONFIG.replace('value="Cat"/>', 'value="Cat" alias="cat-1"/>')
    rows = _answer(point("p", *_PLACES[0], label="All cats"), drafts=[there], config=config)
    assert _hit(rows) == set(_PLACES[1:])
    assert {region["value"]["brushlabels"][0] for region in rows} == {"cat-1"}


def test_polygons_answer_where_the_control_takes_them() -> None:
    rows = _answer(point("p", *_PLACES[0], label="All cats"), kind="PolygonLabels")
    assert len(rows) == len(_PLACES)
    assert {region["value"]["polygonlabels"][0] for region in rows} == {"Cat"}


def test_other_labels_are_clicks_as_ever() -> None:
    assert len(_answer(point("p", *_PLACES[0], label="Dog"))) == 1


@pytest.mark.parametrize("sign", [False])
def test_not_like_this_means_nothing(sign: bool) -> None:
    assert _answer(point("p", *_PLACES[0], label="All cats", is_positive=sign)) == []


def test_nor_does_it_with_a_control_whose_points_all_say_so() -> None:
    config = _CONFIG.replace('name="click"', 'name="click" negative="true"')
    clicked = {**point("p", *_PLACES[0], label="All cats"), "from_name": "click"}
    assert len(_answer(clicked)) == len(_PLACES)
    assert _answer(clicked, config=config) == []


@pytest.mark.parametrize("is_example", [False, True])
def test_each_of_them_is_corrected_under_its_id_before_the_page_saves(is_example: bool) -> None:
    client = _client()
    rows = _answer(point("p", *_PLACES[0], label="All cats"), client=client)
    x, y = _PLACES[0 if is_example else 3]
    wrong = _at(rows, (x, y))
    taken = _answer(point("n", x, y + 9, is_positive=False), client=client)
    assert [region["id"] for region in taken] == [wrong["id"]]
    assert _mask(taken[0])[y - 9, x]
    assert not _mask(taken[0])[y + 9, x]
    assert not (_mask(taken[0]) & ~_mask(wrong)).any()
    again = _answer(point("m", x, y - 9, is_positive=False), client=client)
    assert [region["id"] for region in again] == [wrong["id"]]


def test_ctrl_on_one_of_them_takes_its_place_before_the_page_saves() -> None:
    client = _client()
    rows = _answer(point("p", *_PLACES[0], label="All cats"), client=client)
    x, y = _PLACES[3]
    (again,) = _answer(point("q", x + 3, y), client=client)
    assert again["id"] == _at(rows, (x, y))["id"]
    assert all(
        (_mask(again) & _mask(region)).sum() == 0 for region in rows if region["id"] != again["id"]
    )


def test_they_count_as_long_as_they_may_wait_for_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    client, example = _client(), point("p", *_PLACES[0], label="All cats")
    rows = _answer(example, client=client)
    monkeypatch.setattr("backend.answering.standing._UNSAVED_S", 0.0)
    x, y = _PLACES[3]
    pending = saved(example)  # what the page saves while it shows them
    (taken,) = _answer(point("n", x, y + 9, is_positive=False), client=client, drafts=[pending])
    assert taken["id"] == _at(rows, (x, y))["id"]
    dismissed = saved()
    click = point("m", *_PLACES[4], is_positive=False)
    assert _answer(click, client=client, drafts=[dismissed]) == []
    left_behind = {name: part for name, part in example.items() if name != "is_positive"}
    assert _answer(click, client=client, drafts=[saved(left_behind)]) == []


def test_a_second_point_on_the_example_finds_all_of_them_anew() -> None:
    client = _client()
    first, second = (
        point(name, _PLACES[0][0] + x, _PLACES[0][1], label="All cats")
        for name, x in (("p", 0), ("q", 3))
    )
    before = _answer(first, client=client)
    rows = _answer(first, second, client=client)
    assert _hit(rows) == set(_PLACES)
    assert rows[0]["id"] == before[0]["id"]
    x, y = _PLACES[3]
    (taken,) = _answer(point("n", x, y + 9, is_positive=False), client=client)
    assert taken["id"] == _at(rows, (x, y))["id"]


def test_each_of_many_masks_is_unpacked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[bytes] = []

    def counted(packed: bytes, *, height: int, width: int) -> MaskRuns:
        unpacked.append(packed)
        return unpack(packed, height=height, width=width)

    monkeypatch.setattr("backend.answering.answered.unpack", counted)
    client = _client()
    rows = _answer(point("p", *_PLACES[0], label="All cats"), client=client)
    x, y = _PLACES[3]
    for name, down in (("m", 9), ("n", 10), ("o", 11)):
        (taken,) = _answer(point(name, x, y + down, is_positive=False), client=client)
        assert taken["id"] == _at(rows, (x, y))["id"]
    assert len(unpacked) == len(set(unpacked)) > len(_PLACES)


def test_alt_beside_all_masks_means_the_example_and_none_of_many() -> None:
    client = _client()
    rows = _answer(point("p", *_PLACES[0], label="All cats"), client=client)
    x, y = _PLACES[0][0] + _RADIUS + 4, _PLACES[0][1]
    (taken,) = _answer(point("n", x, y, is_positive=False), client=client)
    assert taken["id"] == rows[0]["id"]
    there = saved(row("a", _disk(*_PLACES[0])))
    client = _client()
    _answer(point("p", *_PLACES[0], label="All cats"), client=client, drafts=[there])
    assert _answer(point("n", x, y, is_positive=False), client=client, drafts=[there]) == []


def test_a_next_example_keeps_clear_of_what_the_draft_has_of_the_last_ones() -> None:
    site = ProjectSite()
    client, (first, second) = _client(site.settings()), _PLACES[:2]
    rows = _answer(point("p", *first, label="All cats"), client=client)
    next_example = point("q", *second, label="All cats")
    site.drafts = [saved(*rows, next_example, id=1, annotation=None)]  # they were accepted
    assert len(_answer(next_example, client=client)) == 1  # it keeps its place, nothing is doubled
    other = _client(site.settings())
    _answer(point("r", *first, label="All cats"), client=other)
    again = point("s", *second, label="All cats")
    site.drafts = [saved(again, id=1, annotation=None)]  # they were thrown away
    assert _hit(_answer(again, client=other)) == set(_PLACES)


@pytest.mark.parametrize("is_opened", [False, True])
def test_a_next_example_doubles_nothing_also_where_somebody_else_opened_the_task(
    is_opened: bool,
) -> None:
    site = ProjectSite()
    client, (*before, further) = _client(site.settings()), _PLACES
    rows = _answer(point("p", *before[0], label="All cats"), client=client, places=before)
    if is_opened:
        _open(client)
    example = point("q", *further, label="All cats")
    site.drafts = [saved(*rows, example, id=1, annotation=None)]
    assert _hit(_answer(example, client=client)) == {further}


def test_what_is_on_a_page_that_was_opened_again_is_in_its_draft_alone() -> None:
    client = _client()
    rows = _answer(point("p", *_PLACES[0], label="All cats"), client=client)
    _open(client)
    x, y = _PLACES[3]
    click = point("n", x, y + 9, is_positive=False)
    assert _answer(click, client=client) == []
    (taken,) = _answer(click, client=client, drafts=[saved(*rows)])
    assert taken["id"] == _at(rows, (x, y))["id"]


def test_an_example_that_was_saved_is_corrected_by_several_clicks() -> None:
    client, (x, y) = _client(), _PLACES[0]
    rows = _answer(point("p", x, y, label="All cats"), client=client)
    draft = saved(*rows, id=1, annotation=None)
    away, more = (
        {**point(name, x + across, y, is_positive=sign), "from_name": "click"}
        for name, across, sign in (("n", -9, False), ("m", 20, True))
    )
    (taken,) = _answer(away, client=client, drafts=[draft])
    (both,) = _answer(away, more, client=client, drafts=[draft])
    assert taken["id"] == both["id"] == _at(rows, (x, y))["id"]


def test_a_hundred_of_them_are_remembered_and_the_clicks_before_them_too() -> None:
    answered = AnsweredObjects()
    task, region = _parsed(point("p", 30, 30))
    mask = MaskRuns.of(_disk(30, 30))

    def entry(name: str, **more: Any) -> AnsweredObject:  # noqa: ANN401
        return AnsweredObject(
            regions=(name,),
            labels=("Cat",),
            placed=(),
            annotation="",
            stamp="",
            is_new=True,
            prior=None,
            answer=mask,
            shown=mask,
            at=answered.clock(),
            **more,
        )

    for number in range(40):
        answered.remember(task, region, [entry(f"click {number}")])
    entries = [entry(f"found {number}", alike_to=frozenset("p")) for number in range(100)]
    answered.remember(task, region, entries)
    names = {item.regions[0] for item in answered.of(task, region)}
    assert {f"found {number}" for number in range(100)} <= names
    assert {f"click {number}" for number in range(8, 40)} <= names
    assert len(names) == 132
    answered.forget(task, region, entries)
    assert len(answered.of(task, region)) == 40


def _parsed(clicked: dict[str, Any]) -> tuple[TaskRequest, RegionRequest]:
    (task,) = parse_predict(request(clicked, config=_CONFIG.format(kind="BrushLabels")))
    assert task.region is not None
    return task, task.region
