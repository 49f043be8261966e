import base64
import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select

from backend.label_studio.brush_rle import decode
from backend.label_studio.request import parse_predict
from backend.models.served import ServedModels
from backend.monitoring.logs import printable
from backend.server.app import create_app, make_app
from backend.server.service import create_service
from backend.storage.tables import saves
from mfp_model.errors import CheckpointError
from mfp_model.prediction import Prediction
from mfp_model.segmenter import Segmenter
from tests.fakes import DiskSegmenter, temporary_settings
from tests.unit.backend.page import ProjectSite

Capture = Callable[[str], Any]


def _uri(width: int, height: int) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "blue").save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _client(load: Callable[[], Segmenter] = DiskSegmenter) -> FlaskClient:
    models = ServedModels(lambda checkpoint: load(), version="disks-1")
    return create_app(temporary_settings(), models=models).test_client()


def _with_image(body: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    for task in body["tasks"]:
        task["data"]["image"] = _uri(width, height)
    return body


def test_a_click_is_answered_with_a_mask_of_exactly_the_images_size(capture: Capture) -> None:
    body = _with_image(capture("predict_first_click"), 1024, 768)
    answer = _client().post("/predict", json=body)
    assert answer.status_code == 200
    (result,) = answer.json["results"]
    assert result["model_version"] == "disks-1"
    assert 0 < result["score"] <= 1
    (region,) = result["result"]
    assert region["type"] == "brushlabels"
    assert (region["from_name"], region["to_name"]) == ("brush", "image")
    assert region["value"]["brushlabels"] == ["Object"]
    assert (region["original_width"], region["original_height"]) == (1024, 768)
    alpha = decode(region["value"]["rle"], height=768, width=1024)
    assert set(np.unique(alpha)) == {0, 255}
    assert alpha[192, 460] == 255


def test_region_ids_are_fresh_and_an_object_keeps_its_own(capture: Capture) -> None:
    client = _client()
    body = _with_image(capture("predict_first_click"), 1024, 768)
    ids = []
    for task in (1, 2, 3, 3):
        body["tasks"][0]["id"] = task
        (row,) = client.post("/predict", json=body).json["results"][0]["result"]
        ids.append(row["id"])
    assert len({*ids}) == 3
    assert ids[-1] == ids[-2]


def test_generic_labels_are_answered_with_both_rows(capture: Capture) -> None:
    body = _with_image(capture("predict_generic_labels_point_twice"), 1024, 768)
    rows = _client().post("/predict", json=body).json["results"][0]["result"]
    assert [(row["type"], row["from_name"]) for row in rows] == [
        ("brush", "brush"),
        ("labels", "labels"),
    ]
    assert len({row["id"] for row in rows}) == 1


@pytest.mark.parametrize("generic", [False, True])
def test_polygons_are_answered_where_the_configuration_asks_for_them(
    capture: Capture, generic: bool
) -> None:
    name = "predict_generic_labels_point_twice" if generic else "predict_first_click"
    body = _with_image(capture(name), 1024, 768)
    body["label_config"] = body["label_config"].replace("Brush", "Polygon")
    client = _client()
    (result,) = client.post("/predict", json=body).json["results"]
    assert 0.9 < result["polygon_iou"] <= 1
    types = [row["type"] for row in result["result"]]
    assert types == (["polygon", "labels"] if generic else ["polygonlabels"])
    value = result["result"][0]["value"]
    assert value["labels" if generic else "polygonlabels"] == ["Dog" if generic else "Object"]
    assert value["closed"] is True
    (click,) = parse_predict(body)[0].region.clicks  # type: ignore[union-attr]
    away = [np.hypot(x * 10.24 - click.x, y * 7.68 - click.y) for x, y in value["points"]]
    assert 17 < min(away) < max(away) < 22  # the fake's disk has radius 20
    assert "mfp_polygon_iou_count 1.0" in client.get("/metrics").text


def test_opening_a_task_answers_nothing_and_fetches_the_image(capture: Capture) -> None:
    body = _with_image(capture("predict_open_task_context_null"), 10, 10)
    assert _client().post("/predict", json=body).json == {"results": []}


def test_what_is_no_prompt_gets_an_empty_result(capture: Capture) -> None:
    answer = _client().post("/predict", json=capture("predict_after_submit_empty_result"))
    assert answer.json == {"results": [{"result": [], "score": 0.0}]}


def test_a_rectangle_is_answered_with_the_mask_in_it(capture: Capture) -> None:
    body = _with_image(capture("predict_rectangle"), 1024, 768)
    (row,) = _client().post("/predict", json=body).json["results"][0]["result"]
    assert row["type"] == "brushlabels"
    mask = decode(row["value"]["rle"], height=768, width=1024) > 127
    (box,) = [
        region["value"]
        for region in body["params"]["context"]["result"]
        if region["type"] == "rectanglelabels"
    ]
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert mask[int(middle[1] * 7.68), int(middle[0] * 10.24)]


def test_several_tasks_are_all_answered(capture: Capture) -> None:
    body = _with_image(capture("predict_first_click"), 1024, 768)
    body["tasks"] *= 2
    assert len(_client().post("/predict", json=body).json["results"]) == 2


def test_projects_with_other_configurations_share_a_server(capture: Capture) -> None:
    client = _client()
    answers = {}
    for name in ("predict_first_click", "predict_keypoint_without_labels"):
        body = _with_image(capture(name), 1024, 768)
        (row,) = client.post("/predict", json=body).json["results"][0]["result"]
        answers[name] = row["value"]["brushlabels"]
    assert list(answers.values()) == [["Object"], ["Cat"]]


def test_a_failure_is_an_empty_answer_that_is_logged_and_counted(
    capture: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    client = _client()
    body = _with_image(capture("predict_first_click"), 1000, 768)
    with caplog.at_level(logging.ERROR):
        answer = client.post("/predict", json=body)
    assert answer.status_code == 200
    assert answer.json["results"] == []
    assert "image is 1000x768, but the page sees 1024x768" in answer.json["error"]
    assert "image is 1000x768" in caplog.text
    assert 'mfp_errors_total{kind="ImageError"} 1.0' in client.get("/metrics").text
    page = client.get("/").text
    assert "image is 1000x768" in page
    assert "Open the task&#39;s image" in page


def test_a_click_that_finds_no_weights_may_be_asked_of_another_front(capture: Capture) -> None:
    def load() -> Segmenter:
        raise CheckpointError("no such file")

    answer = _client(load).post(
        "/predict", json=_with_image(capture("predict_first_click"), 1024, 768)
    )
    assert answer.status_code == 503
    assert answer.json["results"] == []
    assert "no such file" in answer.json["error"]


def test_a_bug_is_an_empty_answer_without_a_traceback(
    capture: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(DiskSegmenter):
        def rounds(self, *arguments: Any) -> Iterator[Prediction]:  # noqa: ANN401
            if arguments[0].shape[1] != 1024:  # before it serves
                return super().rounds(*arguments)
            raise ZeroDivisionError("secret detail")

    answer = _client(Broken).post(
        "/predict", json=_with_image(capture("predict_first_click"), 1024, 768)
    )
    assert answer.status_code == 200
    assert answer.json["results"] == []
    assert "secret" not in answer.text
    assert answer.json["request_id"] in caplog.text
    assert "secret detail" in caplog.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b'{"tasks": 3}', b"\xff\xfe"])
def test_a_malformed_body_is_refused_with_words(body: bytes) -> None:
    answer = _client().post("/predict", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["error"]


def test_health_and_setup_answer_while_the_weights_load(capture: Capture) -> None:
    gate = threading.Event()

    def load() -> Segmenter:
        gate.wait(20)
        return DiskSegmenter()

    client = _client(load)
    health = client.get("/health")
    assert health.status_code == 200
    assert health.json["ready"] is False
    setup = client.post("/setup", json=capture("setup"))
    assert setup.json == {"model_version": "disks-1", "ready": False}
    gate.set()
    until = time.monotonic() + 20
    while not client.get("/health").json["ready"]:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_weights_that_cannot_be_loaded_show_in_health(caplog: pytest.LogCaptureFixture) -> None:
    def load() -> Segmenter:
        raise OSError("no such weights")

    client = _client(load)
    until = time.monotonic() + 20
    while client.get("/health").status_code == 200:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert "no such weights" in client.get("/").text


def test_webhooks_of_projects_that_never_asked_for_a_model_are_not_recorded(
    capture: Capture,
) -> None:
    settings = temporary_settings()
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    service = create_service(settings, models=models)
    client = make_app(settings, service).test_client()

    def n_recorded() -> int:
        assert client.post("/webhook", json=capture("webhook_annotations_deleted")).json == {
            "status": "ok",
            "job": None,
        }
        service.recorder.wait()
        with service.state.sessions().using() as connection:
            return len(connection.execute(select(saves.c.id)).fetchall())

    assert n_recorded() == 0
    service.trainer.queue.know("14")
    assert n_recorded() == 1


@pytest.mark.parametrize(
    "name",
    [
        "webhook_annotation_created",
        "webhook_annotation_updated",
        "webhook_annotations_deleted",
        "webhook_start_training",
        "webhook_tasks_created",
    ],
)
def test_webhooks_are_taken(capture: Capture, name: str) -> None:
    assert _client().post("/webhook", json=capture(name)).status_code == 200


def test_a_projects_settings_count_as_soon_as_a_webhook_tells_that_they_changed() -> None:
    site = ProjectSite(maximum_annotations=1)
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    service = create_service(site.settings(), models=models)
    client = make_app(site.settings(), service).test_client()
    assert service.projects.of("3").n_annotators == 1
    site.project["maximum_annotations"] = 2
    assert client.post("/webhook", json={"action": "PROJECT_UPDATED"}).status_code == 200
    assert service.projects.of("3").n_annotators == 2


def test_an_unknown_page_is_not_found() -> None:
    assert _client().get("/nothing").status_code == 404


@pytest.mark.parametrize(
    "job", ["9223372036854775808", "9" * 300, "9" * 5000, "-1", "1e3", "٣", "0x1", "1.0"]
)
def test_numbers_of_jobs_that_there_cannot_be_are_not_found(job: str) -> None:
    client = _client()
    assert client.get(f"/jobs/{job}/log").status_code == 404
    assert client.post(f"/jobs/{job}/cancel").status_code == 404


def test_a_request_cannot_write_a_line_of_its_own_into_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = create_app(
        temporary_settings(username="team", password="secret"),
        models=ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1"),
    ).test_client()
    with caplog.at_level(logging.WARNING):
        client.get("/%0a2026-01-01%20ERROR%20forged%1b[31m")
    (message,) = [record.getMessage() for record in caplog.records]
    assert printable(message).isprintable()


def test_weights_whose_answers_are_not_finite_do_not_serve() -> None:
    class Broken(DiskSegmenter):
        def rounds(self, *arguments: Any) -> Iterator[Prediction]:  # noqa: ANN401
            for prediction in super().rounds(*arguments):
                (layer,) = prediction.layers.layers
                yield replace(
                    prediction,
                    layers=replace(
                        prediction.layers,
                        layers=(replace(layer, values=np.full_like(layer.values, np.nan)),),
                    ),
                )

    client = _client(Broken)
    until = time.monotonic() + 20
    while client.get("/health").status_code == 200:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert "not finite" in client.get("/").text
