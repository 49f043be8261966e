"""What a foreign page, opened in the browser of somebody who may enter, can do here: nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from backend.learning import inbox
from backend.models.served import ServedModels
from backend.server.app import create_app
from tests.browser import running_browser
from tests.fakes import DiskSegmenter, temporary_settings

_START = {"action": "START_TRAINING", "project": {"id": 14}}
_EVIL = "http://evil.example"


@pytest.fixture(autouse=True)
def _busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhooks are answered with their job, however long it takes to write it."""
    monkeypatch.setattr(inbox, "_ANSWER_S", 30.0)


def _client(**settings: Any) -> FlaskClient:  # noqa: ANN401
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    client = create_app(temporary_settings(**settings), models=models).test_client()
    client.post("/setup", json={"project": "14.1"})
    return client


@pytest.mark.parametrize("route", ["/webhook", "/predict", "/setup"])
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_form_can_send_is_refused(route: str, kind: str) -> None:
    answer = _client().post(route, data='{"action": "START_TRAINING"}', content_type=kind)
    assert answer.status_code == 415


@pytest.mark.parametrize("route", ["/webhook", "/predict", "/setup", "/jobs/1/cancel"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": _EVIL},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:8080"},
        {"Origin": "http://["},
        {"Origin": "http://[::1"},
        {"Origin": "http://\u00e9@localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(route: str, headers: dict[str, str]) -> None:
    client = _client()
    assert client.post(route, json=_START, headers=headers).status_code == 403
    assert client.post("/webhook", json=_START).json["job"] == 1


def test_our_own_page_may_cancel() -> None:
    client = _client()
    client.post("/webhook", json=_START)
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/jobs/1/cancel", headers=headers).status_code == 303
    assert "cancelled" in client.get("/").text


@contextmanager
def _served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.browser
@pytest.mark.slow
def test_a_browser_sends_what_lets_its_cancel_button_pass() -> None:
    client = _client()
    client.post("/webhook", json=_START)
    with _served(client.application) as address, running_browser() as browser:
        page = browser.new_page()
        page.goto(address)
        page.get_by_role("button", name="cancel").click()
        page.wait_for_url(address)
        assert page.locator(".job-state").inner_text() == "cancelled"


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:9090", "127.0.0.1:9090", "[::1]:9090", "10.0.0.7", "a.localhost"],
)
def test_an_open_server_answers_to_this_machines_names_and_to_addresses(host: str) -> None:
    assert _client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9090", "127.0.0.1.evil.example"])
def test_an_open_server_answers_to_no_other_name(host: str) -> None:
    client = _client()
    for path in ("/", "/health", "/metrics"):
        assert client.get(path, headers={"Host": host}).status_code == 421
    assert client.post("/predict", json={}, headers={"Host": host}).status_code == 421


def test_names_can_be_allowed_and_with_a_password_all_are() -> None:
    named = _client(allowed_hosts=("mfp.example", "*.lab"))
    for host, status in (("mfp.example:9090", 200), ("a.lab", 200), ("b.example", 421)):
        assert named.get("/health", headers={"Host": host}).status_code == status
    guarded = _client(username="team", password="secret")
    assert guarded.get("/health", headers={"Host": "any.example"}).status_code == 200
    both = _client(username="team", password="secret", allowed_hosts=("mfp.example",))
    assert both.get("/health", headers={"Host": "any.example"}).status_code == 421


def test_a_containers_name_with_an_underscore_can_be_allowed() -> None:
    name = {"Host": "team_backend_1:9090"}
    client = _client(allowed_hosts=("team_backend_*",))
    assert client.get("/", headers=name).status_code == 200
    assert client.post("/webhook", json=_START, headers=name).json["job"] == 1
    ours, sandboxed = {"Origin": "http://team_backend_1:9090"}, {"Origin": "null"}
    assert client.post("/jobs/1/cancel", headers=name | sandboxed).status_code == 403
    assert client.post("/jobs/1/cancel", headers=name | ours).status_code == 303


@pytest.mark.parametrize("host", ["localhost, evil.example", "evil.example/.localhost", ""])
def test_what_is_no_host_is_refused_and_told(host: str) -> None:
    answer = _client().get("/", headers={"Host": host})
    assert (answer.status_code, f"host {host!r}" in answer.json["error"]) == (421, True)
    guarded = _client(username="team", password="secret")
    headers = {"Host": host, "Origin": "null"}
    answer = guarded.post("/webhook", json=_START, headers=headers, auth=("team", "secret"))
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/", "/health", "/metrics", "/nothing", "/static/status.js"])
def test_pages_cannot_be_shown_in_others_nor_kept(path: str) -> None:
    with _client().get(path) as answer:
        headers = answer.headers
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    if path == "/":  # runs one file of its own, and nothing that stands in the page
        assert headers["Content-Security-Policy"].endswith("script-src 'self'; connect-src 'self'")
    else:
        assert "script-src" not in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_a_webhook_of_a_project_that_is_not_connected_starts_nothing_and_is_counted() -> None:
    client = _client()
    body = {"action": "START_TRAINING", "project": {"id": 15}}
    answer = client.post("/webhook", json=body)
    assert (answer.status_code, answer.json["job"]) == (200, None)
    assert 'mfp_refusals_total{kind="UnknownProjectError"} 1.0' in client.get("/metrics").text
    assert "UnknownProjectError" in client.get("/").text


def test_refusals_push_no_error_off_the_status_page() -> None:
    client = _client(username="team", password="secret")
    team = ("team", "secret")
    client.post("/predict", json=[], auth=team)
    for _ in range(60):
        client.get("/")
    page = client.get("/", auth=team).text
    assert "body: expected a JSON object" in page
    assert "<td>61</td><td><strong>AccessError</strong>" in page
