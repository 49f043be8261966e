"""A point with the label “All like this” is answered with all of them."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from backend.label_studio.brush_rle import decode
from backend.models.served import ServedModels
from backend.server.app import create_app
from tests.fakes import DiskSegmenter
from tests.unit.backend.page import HEIGHT, WIDTH, point, request, row, saved, settings_of

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


def _client() -> FlaskClient:
    models = ServedModels(lambda checkpoint: DiskSegmenter(radius=_RADIUS), version="disks-1")
    return create_app(settings_of(), models=models).test_client()


def _answer(
    *points: Any,  # noqa: ANN401
    kind: str = "BrushLabels",
    client: FlaskClient | None = None,
    config: str = _CONFIG,
    **task: object,
) -> list[dict[str, Any]]:
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for place in _PLACES:
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


def _hit(rows: list[dict[str, Any]]) -> set[tuple[int, int]]:
    masks = [decode(one["value"]["rle"], height=HEIGHT, width=WIDTH) > 0 for one in rows]
    return {(x, y) for x, y in _PLACES for mask in masks if mask[y, x]}


def test_one_click_is_answered_with_each_object_under_the_label_that_is_meant() -> None:
    rows = _answer(point("p", *_PLACES[0], label="All cats"))
    assert _hit(rows) == set(_PLACES)
    assert len(rows) == len(_PLACES)
    assert {one["value"]["brushlabels"][0] for one in rows} == {"Cat"}
    assert len({one["id"] for one in rows}) == len(rows)
    assert all(0 < one["score"] <= 1 for one in rows)


def test_none_lies_over_masks_that_are_there_and_a_mask_may_be_the_example() -> None:
    there = saved(row("a", _disk(*_PLACES[0])), row("b", _disk(*_PLACES[1]), "Dog"))
    rows = _answer(point("p", *_PLACES[0], label="All cats"), drafts=[there])
    assert _hit(rows) == set(_PLACES[2:])


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
    assert {one["value"]["brushlabels"][0] for one in rows} == {"cat-1"}


def test_polygons_answer_where_the_control_takes_them() -> None:
    rows = _answer(point("p", *_PLACES[0], label="All cats"), kind="PolygonLabels")
    assert len(rows) == len(_PLACES)
    assert {one["value"]["polygonlabels"][0] for one in rows} == {"Cat"}


def test_other_labels_are_clicks_as_ever() -> None:
    assert len(_answer(point("p", *_PLACES[0], label="Dog"))) == 1


@pytest.mark.parametrize("sign", [False])
def test_not_like_this_means_nothing(sign: bool) -> None:
    assert _answer(point("p", *_PLACES[0], label="All cats", is_positive=sign)) == []
