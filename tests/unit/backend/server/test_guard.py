import base64
import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.learning.jobs import JobQueue
from backend.models.served import ServedModels
from backend.monitoring.logs import log_config
from backend.server.app import create_app
from backend.storage.errors import StorageError
from tests.fakes import DiskSegmenter, temporary_settings

_AUTH = {"Authorization": "Basic " + base64.b64encode("team:pässword".encode()).decode()}


def _client(**settings: Any) -> FlaskClient:  # noqa: ANN401
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    return create_app(temporary_settings(**settings), models=models).test_client()


@pytest.fixture
def guarded() -> FlaskClient:
    return _client(username="team", password="pässword")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/metrics"),
        ("POST", "/setup"),
        ("POST", "/predict"),
        ("POST", "/webhook"),
        ("GET", "/nothing"),
    ],
)
def test_every_route_but_health_asks_for_the_password(
    guarded: FlaskClient, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.server.guard._WRONG_PASSWORD_S", 0.0)
    wrong = {"Authorization": "Basic " + base64.b64encode(b"team:wrong").decode()}
    for headers in ({}, wrong, {"Authorization": "Basic !"}, {"Authorization": "Bearer x"}):
        answer = guarded.open(path, method=method, headers=headers, json={})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    latin = {
        "Authorization": "Basic " + base64.b64encode("team:pässword".encode("latin-1")).decode()
    }
    for headers in (_AUTH, latin):
        assert guarded.open(path, method=method, headers=headers, json={}).status_code != 401
    assert guarded.get("/health").status_code == 200


def test_refused_requests_are_counted(guarded: FlaskClient) -> None:
    guarded.post("/predict", json={})
    assert 'mfp_errors_total{kind="AccessError"} 1.0' in guarded.get("/metrics", headers=_AUTH).text


def test_what_is_at_no_route_is_counted_and_is_no_error() -> None:
    client = _client()
    assert client.get("/nothing").status_code == 404
    assert client.put("/predict", json={}).status_code == 405
    figures = client.get("/metrics").text
    assert 'mfp_requests_total{route="other",status="404"} 1.0' in figures
    assert "mfp_errors_total{" not in figures


def test_a_database_that_is_away_is_not_the_requests_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise StorageError("away")

    monkeypatch.setattr(JobQueue, "cancel", away)
    assert _client().post("/jobs/1/cancel").status_code == 503


def test_large_bodies_are_refused() -> None:
    client = _client(max_request_mb=0.001)
    for route in ("/predict", "/webhook", "/setup"):
        answer = client.post(route, data=b" " * 2000, content_type="application/json")
        assert answer.status_code in (413, 200 if route == "/setup" else 413)
    assert 'kind="RequestEntityTooLarge"' in client.get("/metrics").text


def test_answers_carry_the_requests_id() -> None:
    client = _client()
    given = client.get("/health", headers={"X-Request-ID": "from-proxy-1"})
    assert given.headers["X-Request-ID"] == "from-proxy-1"
    fresh = client.get("/health", headers={"X-Request-ID": "two words" * 40})
    assert len(fresh.headers["X-Request-ID"]) == 12


@pytest.fixture
def json_log() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    stream, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:], root.level
    config = log_config("json")
    config["handlers"]["stderr"]["stream"] = stream
    logging.config.dictConfig(config)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = before


def test_the_json_log_has_a_line_for_each_event_and_no_secret(
    json_log: Callable[[], list[dict[str, Any]]], capture: Callable[[str], Any]
) -> None:
    client = _client(username="team", password="pässword")
    body = capture("predict_first_click")
    body["tasks"][0]["data"]["image"] = "data:image/png;base64,c2VjcmV0IHBpeGVscw=="
    client.post("/predict", json=body, headers={**_AUTH, "X-Request-ID": "request-7"})
    body["tasks"][0]["data"]["image"] = "https://host.example/a.png?token=secret-token"
    client.post("/predict", json=body, headers=_AUTH)
    client.post("/webhook", json=capture("webhook_annotation_created"), headers=_AUTH)
    lines = json_log()
    assert [line["levelname"] for line in lines if "no image file" in line["message"]] == ["ERROR"]
    assert any(line["request_id"] == "request-7" for line in lines)
    text = json.dumps(lines, ensure_ascii=False)
    for secret in ("c2VjcmV0", "secret", "pässword", "Authorization", "rle"):
        assert secret not in text
