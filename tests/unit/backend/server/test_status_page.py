"""The page for people: next step, charts, links, and each error with what to do about it."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient

from backend.models.served import ServedModels
from backend.monitoring.journal import Minute
from backend.server import routes, sessions_page
from backend.server.advice import ADVICE
from backend.server.app import create_app
from backend.server.charts import HEIGHT, clicks_chart, times_chart
from backend.server.words import duration, time_left
from backend.settings import Settings
from mfp_model.errors import MfpError
from tests.fakes import DiskSegmenter, temporary_settings
from tests.unit.backend.page import point, request

_NEVER_SHOWN = {
    "RefusedError",  # only its kinds are raised
    "UsageError",  # of commands
    "SupersededError",  # a newer click, counted apart
    "ServerError",  # of the demo
    "ImageTooLargeError",  # told as ImageError, with the setting's name
    "LabelStudioRefusedError",  # of commands
    "StoppedError",  # of a fine-tuning's process
}


def _kinds(kind: type[Exception]) -> Iterator[str]:
    for subclass in kind.__subclasses__():
        yield subclass.__name__
        yield from _kinds(subclass)


def test_no_error_of_our_own_is_called_a_bug() -> None:
    assert routes.add_routes  # all that can fail is imported
    assert set(_kinds(MfpError)) - _NEVER_SHOWN <= set(ADVICE)


def _page(client: FlaskClient) -> str:
    return client.get("/").get_data(as_text=True)


def _ready(client: FlaskClient) -> FlaskClient:
    until = time.monotonic() + 20
    while not client.get("/health").json["ready"]:
        assert time.monotonic() < until
        time.sleep(0.01)
    return client


def _client(settings: Settings | None = None) -> FlaskClient:
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    return create_app(settings or temporary_settings(), models=models).test_client()


def test_the_page_tells_the_next_step_from_connecting_to_learning() -> None:
    client = _ready(_client())
    assert "Connect a project of Label Studio." in _page(client)
    assert "No clicks." in _page(client)
    client.post("/setup", json={"project": "3.1700000000"})
    assert "Click on an object." in _page(client)
    client.post("/predict", json=request(point("p1", 50, 60)))
    page = _page(client)
    assert "Let it learn from your masks." in page
    assert page.count("<svg") == 2
    client.post("/webhook", json={"action": "START_TRAINING", "project": {"id": 3}})
    assert 'class="next"' not in _page(client)
    assert "waits" in _page(client)


def test_the_link_is_label_studios_address_in_browsers() -> None:
    settings = temporary_settings()
    inside, outside = "http://label-studio:8080", "http://localhost:8080"
    settings = replace(settings, label_studio_url=inside, label_studio_public_url=outside)
    page = _page(_ready(_client(settings)))
    assert f'href="{outside}"' in page
    assert inside not in page


def test_links_lead_to_label_studio_and_to_what_was_recorded() -> None:
    settings = temporary_settings()
    client = _ready(_client(replace(settings, label_studio_url="http://127.0.0.1:9")))
    assert 'href="http://127.0.0.1:9"' in _page(client)
    assert "/sessions" not in _page(client)
    assert client.get("/sessions").status_code == 404
    client.post("/predict", json=request(point("p1", 50, 60)))
    until = time.monotonic() + 20
    while (answer := client.get("/sessions")).status_code == 404:  # written beside the answers
        assert time.monotonic() < until
        time.sleep(0.05)
    assert 'href="sessions"' in _page(client)
    assert "How people clicked" in answer.get_data(as_text=True)
    with sessions_page._making:
        assert client.get("/sessions").status_code == 503


def test_the_page_works_below_a_path_that_a_proxy_takes_away() -> None:
    client = _ready(_client())
    client.post("/setup", json={"project": "3.1700000000"})
    client.post("/webhook", json={"action": "START_TRAINING", "project": {"id": 3}})
    page = "https://labels.example/mfp/"
    links = re.findall(r'(?:src|href|action)="([^"]*)"', _page(client))
    assert {"static/status.js", "metrics", "jobs/1/log", "jobs/1/cancel"} <= set(links)
    assert all(urljoin(page, link).startswith(page) for link in links)
    answer = client.post("/jobs/1/cancel")
    assert urljoin(page + "jobs/1/cancel", answer.headers["Location"]) == page


@pytest.mark.parametrize("damage", [b"", b"[]", b"\xff\xfe{", b'{"global": 3}'])
def test_the_page_outlives_damaged_side_files(tmp_path: Path, damage: bytes) -> None:
    models = tmp_path / "models"
    (models / "mine-1").mkdir(parents=True)
    (models / "mine-1" / "manifest.json").write_bytes(damage)
    (models / "serving.json").write_bytes(damage)
    client = _ready(_client(temporary_settings(data_dir=tmp_path)))
    answer = client.get("/")
    assert answer.status_code == 200
    assert "model versions cannot be read" in answer.get_data(as_text=True)
    assert "Connect a project" not in answer.get_data(as_text=True), "nobody knows whether one is"


def test_alike_errors_are_one_row() -> None:
    client = _client()
    for _ in range(3):
        client.post("/predict", json=[])
    page = _page(client)
    assert page.count("body: expected a JSON object") == 1
    assert "3 times" in page


def test_its_script_is_a_file_of_this_server() -> None:
    client = _client()
    (source,) = re.findall(r'<script src="([^"]+)"', _page(client))
    with client.get(source) as answer:
        assert answer.status_code == 200
        assert "javascript" in answer.headers["Content-Type"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (59.9, "59 s"), (60, "1 min"), (7500, "2 h 5 min"), (100_000, "1 d 3 h")],
)
def test_durations_are_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_time_left_is_told_once_it_can_be_guessed() -> None:
    assert time_left(0.05, 60) == ""
    assert time_left(0.5, 600) == "about 10 min left"
    assert time_left(1.0, 600) == ""


def _minute(n_clicks: int, median_ms: float, p95_ms: float) -> Minute:
    return Minute(n_clicks=n_clicks, median_ms=median_ms, p95_ms=p95_ms)


def test_charts_have_lines_around_what_they_draw() -> None:
    quiet, busy = _minute(0, 0, 0), _minute(7, 130, 900)
    assert clicks_chart([quiet]) is None
    assert times_chart([quiet]) is None
    clicks, times = clicks_chart([quiet, busy]), times_chart([quiet, busy])
    assert clicks is not None
    assert times is not None
    assert [tick.text for tick in clicks.ticks] == ["0", "4", "8"]
    assert [tick.text for tick in times.ticks] == ["100 ms", "200 ms", "500 ms", "1 s"]
    for bar in (*clicks.bars, *times.bars, *times.marks):
        assert bar.x == 10
        assert 0 <= bar.top <= bar.top + bar.height <= HEIGHT + 1


def test_a_chart_of_equal_times_is_one_too() -> None:
    chart = times_chart([_minute(1, 1000, 1000)])
    assert chart is not None
    assert [tick.text for tick in chart.ticks] == ["1 s", "2 s"]
