"""Requests that would take more than they should: each is answered soon and within memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.answering import existing
from backend.label_studio.brush import painted_px
from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.label_config import TaskConfigs, parse_label_config
from backend.label_studio.request import parse_predict
from backend.models.served import ServedModels
from backend.server.app import create_app
from tests.fakes import DiskSegmenter, temporary_settings
from tests.unit.backend.page import BRUSH, HEIGHT, POLYGON, WIDTH, box, point, request, row, saved

_SOON_S = 10.0


def _client(segmenter: DiskSegmenter | None = None) -> FlaskClient:
    served = segmenter or DiskSegmenter()
    models = ServedModels(lambda checkpoint: served, version="disks-1")
    return create_app(temporary_settings(), models=models).test_client()


def _polygon(points: list[list[float]], **more: object) -> dict[str, Any]:
    value = {"points": points, "closed": True, "polygonlabels": ["Cat"]}
    return {**row("r1", box(0, 0, 1, 1)), "type": "polygonlabels", "value": value, **more}


def _zigzag(n: int) -> list[list[float]]:
    return [[100.0 * (index % 2), 100.0 * index / n] for index in range(n)]


def _answered(body: dict[str, Any]) -> dict[str, Any]:
    client = _client()
    started = time.perf_counter()
    answer = client.post("/predict", json=body)
    assert time.perf_counter() - started < _SOON_S
    assert answer.status_code == 200
    return dict(answer.json["results"][0])


def test_a_polygon_of_an_image_of_another_size_is_left_out_undecoded() -> None:
    huge = _polygon(_zigzag(20_000), original_width=14_000, original_height=14_000)
    config = POLYGON.format("")
    body = request(point("p", 50, 50), config=config, annotations=[saved(huge)])
    assert len(_answered(body)["result"]) == 1


def test_a_polygon_with_an_endless_outline_is_left_out_undecoded() -> None:
    there = saved(_polygon(_zigzag(50_000)))
    body = request(point("p", 50, 50), config=POLYGON.format(""), annotations=[there])
    (answered,) = _answered(body)["result"]
    assert answered["id"] != "r1"


def test_a_brush_of_ever_so_many_wide_strokes_is_left_out_undecoded() -> None:
    touch = {
        "type": "add",
        "relativePoints": [0, 0, 100, 100] * 2000,
        "relativeStrokeWidth": 1000,
        "compositeOperation": "source-over",
    }
    brush = row("r1", box(0, 0, 1, 1))
    brush["value"] = {"format": "rle", "touches": [touch] * 50, "brushlabels": ["Cat"]}
    (answered,) = _answered(request(point("p", 50, 50), drafts=[saved(brush)]))["result"]
    assert answered["id"] != "r1"


def test_drafts_of_ever_so_many_strokes_are_read_up_to_a_limit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    touch = {"type": "add", "relativePoints": [0, 0, 100, 100] * 250, "relativeStrokeWidth": 900}
    rows = [row(f"r{index}", box(0, 0, 1, 1)) for index in range(60)]
    for number, brush in enumerate(rows):
        touches = [{**touch, "relativeStrokeWidth": 900 + number}] * 5
        brush["value"] = {"format": "rle", "touches": touches, "brushlabels": ["Cat"]}
    assert "error" not in _answered(request(point("p", 50, 50), drafts=[saved(*rows)]))
    assert "strokes of drafts beyond 30000000000 pixels" in caplog.text


def test_a_drafts_strokes_are_counted_once_while_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[object] = []

    def count(value: Mapping[str, Any], *, height: int, width: int) -> int:
        counted.append(value)
        return painted_px(value, height=height, width=width)

    monkeypatch.setattr(existing, "painted_px", count)
    touch = {"type": "add", "relativePoints": [10, 10, 30, 10], "relativeStrokeWidth": 5}
    brushes = [row(f"r{number}", box(0, 0, 9 + number, 9)) for number in range(5)]
    for brush in brushes:
        brush["value"]["touches"] = [touch]
    client = _client()
    for x in (100, 120):
        body = request(point(f"p{x}", x, 90), drafts=[saved(*brushes, id=1, annotation=None)])
        assert client.post("/predict", json=body).json["results"][0]["result"]
    assert len(counted) == len(brushes)


def test_an_endless_brush_rle_is_left_out_undecoded() -> None:
    brush = row("r1", box(20, 20, 80, 100))
    brush["value"]["rle"] = [*brush["value"]["rle"], *[0] * 4_000_000]
    (answered,) = _answered(request(point("p", 50, 50), annotations=[saved(brush)]))["result"]
    assert answered["id"] != "r1"


def test_more_masks_than_can_be_read_are_left_out_and_the_click_is_answered() -> None:
    from backend.answering import existing

    rows = [row(f"r{index}", box(index, index, index + 9, index + 9)) for index in range(90)]
    before, existing._MAX_READ_PX = existing._MAX_READ_PX, 50 * HEIGHT * WIDTH
    try:
        answered = _answered(request(point("p", 150, 20), annotations=[saved(*rows)]))
    finally:
        existing._MAX_READ_PX = before
    assert answered["result"]


@pytest.mark.slow
@pytest.mark.parametrize("n", [201, 100_000])
def test_more_points_than_anybody_clicks_are_refused(n: int) -> None:
    points = [point(f"p{index}", 1 + index % 190, 50) for index in range(n)]
    answer = _client().post("/predict", json=request(*points))
    assert answer.status_code == 400
    assert f"{n} points of one object, at most 200" in answer.json["error"]


def test_more_labels_of_a_point_than_anybody_gives_it_are_refused() -> None:
    many = point("p", 50, 50)
    many["value"]["keypointlabels"] = [f"label {index}" for index in range(100_000)]
    answer = _client().post("/predict", json=request(many))
    assert answer.status_code == 400
    assert "a point has 100000 labels, expected at most 200" in answer.json["error"]


@pytest.mark.slow
def test_two_hundred_points_are_answered() -> None:
    points = [point(f"p{index}", 1 + index % 190, 50) for index in range(200)]
    assert _answered(request(*points))["result"]


def test_many_clicked_tasks_in_one_request_are_refused() -> None:
    body = request(point("p", 50, 50))
    body["tasks"] *= 11
    assert _client().post("/predict", json=body).status_code == 400


def test_names_of_ever_so_many_letters_are_neither_kept_nor_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    client, body = _client(), request(point("p", 50, 50))
    for project in ("1" * 1_000_000, "a" * 1_000_000, [["a" * 1_000_000]]):
        for route in ("/setup", "/predict"):
            answer = client.post(route, json={**body, "project": project})
            assert answer.status_code == 400
            assert "letters, expected at most 40" in answer.json["error"]
    body["tasks"][0]["id"] = "a" * 1_000_000
    assert client.post("/predict", json=body).json["results"][0]["result"]
    assert max(len(record.getMessage()) for record in caplog.records) < 500


def test_a_client_that_has_left_is_computed_for_no_further() -> None:
    segmenter = DiskSegmenter()
    client = _client(segmenter)
    body = request(*[point(f"p{index}", 10 + index, 50) for index in range(40)])
    answer = client.post(
        "/predict",
        json=body,
        environ_overrides={"waitress.client_disconnected": lambda: segmenter.n_rounds >= 3},
    )
    assert answer.json["results"][0]["result"] == []
    assert segmenter.n_rounds == 3
    assert 'mfp_clicks_total{outcome="superseded"} 1.0' in client.get("/metrics").text


_LABELS = "<View><Labels toName='{}'>" + "<Label value='x'/>" * 10_000 + "</Labels>"


@pytest.mark.parametrize(
    "xml",
    [
        "<View>" * 6000 + "</View>" * 6000,
        "<BrushLabels>" * 6000 + "</BrushLabels>" * 6000,
        "<View>" + "<Label/>" * 60_000 + "</View>",
        "<View>" + " " * 3_000_000 + "</View>",
        "<View>" * 2_000_000,
        _LABELS.format("a") + f'<View><Brush toName="{",".join(["a"] * 500_000)}"/></View></View>',
        _LABELS.format("a") + '<Brush toName="a"/>' * 25_000 + "</View>",
        _LABELS.format("a") + '<KeyPoint toName="a"/>' * 25_000 + "</View>",
        _LABELS.format(",".join(["a"] * 300_000)) + "</View>",
    ],
    ids=[
        *("nested views", "nested controls", "labels", "long", "endless"),
        *("images of a control", "controls", "points", "images of labels"),
    ],
)
def test_label_configurations_that_no_page_has_are_refused_soon(xml: str) -> None:
    started = time.thread_time()
    with pytest.raises(LabelConfigError, match="at most|nested|not XML"):
        parse_label_config(xml)
    assert time.thread_time() - started < 2


def test_a_large_label_configuration_is_read_soon() -> None:
    labels = "".join(f'<Label value="L{index}"/>' for index in range(5000))
    xml = BRUSH.format("").replace('<Label value="Cat"/>', labels, 1)
    started = time.thread_time()
    assert len(parse_label_config(xml).controls[0].labels) == 5001
    assert time.thread_time() - started < 2


_REPEATER = BRUSH.format("").replace("</View>", '<Repeater on="$l">{}</Repeater></View>')


@pytest.mark.parametrize(
    ("content", "n_elements", "problem"),
    [
        ("<View/>" * 10, 10_000, "more than 50000 tags"),
        ('<Text value="' + "x{{idx}}" * 20_000 + '"/>', 10_000, "more than 2000000 letters"),
        ('<Repeater on="$none">' + "<View/>" * 9_000 + "</Repeater>", 10_000, "50000 tags"),
        ("", 50_001, "50000 tags"),
    ],
    ids=["tags", "letters", "repeaters of nothing", "empty repeaters"],
)
def test_what_a_repeater_makes_of_a_task_is_bounded(
    content: str, n_elements: int, problem: str
) -> None:
    config = TaskConfigs(_REPEATER.format(content))
    started = time.thread_time()
    with pytest.raises(LabelConfigError, match=problem):
        config.of({"l": [0] * n_elements})
    assert time.thread_time() - started < 2


@pytest.mark.slow
def test_what_all_tasks_make_of_a_configuration_is_bounded_and_the_first_ones_are_answered() -> (
    None
):
    body = {
        "label_config": _REPEATER.format("<View/>" * 40),
        "tasks": [{"id": n, "data": {"image": "/a.png", "l": [0] * 1000}} for n in range(1000)],
    }
    started = time.thread_time()
    problems = [task.problem for task in parse_predict(body)]
    assert time.thread_time() - started < _SOON_S
    assert problems[:10] == [""] * 10
    assert all("the tasks before made more than" in problem for problem in problems[-900:])
