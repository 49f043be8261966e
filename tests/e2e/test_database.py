"""The real server on a database of several machines."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from backend.demo.processes import Server, free_port, start_backend
from backend.storage.moving import upgrade_server
from backend.storage.shared_state import open_server
from tests.e2e.conftest import PHOTOS
from tests.postgres import Postgres

_BOWL = "data:image/jpeg;base64," + base64.b64encode((PHOTOS / "bowl.jpg").read_bytes()).decode()


@pytest.fixture
def server(tmp_path: Path, postgres: Postgres) -> Iterator[Server]:
    url = postgres.new_database()
    upgrade_server(open_server(url))
    started = start_backend(
        tmp_path / "backend.log",
        port=free_port(),
        label_studio_url="",
        settings={"MFP_DATABASE_URL": url},
    )
    with started.running(limit_s=90):
        yield started


def test_clicks_have_the_same_bytes_while_the_database_is_away_and_after_it_came_back(
    server: Server, postgres: Postgres, capture: Callable[[str], Any]
) -> None:
    body = capture("predict_first_click")
    body["tasks"][0]["data"]["image"] = _BOWL
    (point,) = body["params"]["context"]["result"]

    def rle(name: str) -> list[int]:
        value = {**point["value"], "x": 70, "y": 70}
        click = {**point, "id": name, "original_width": 1280, "original_height": 866}
        body["params"]["context"]["result"] = [{**click, "value": value}]
        answer = requests.post(f"{server.url}/predict", json=body, timeout=100).json()
        (region,) = answer["results"][0]["result"]
        return list(region["value"]["rle"])

    before = rle("a")
    postgres.stop()
    try:
        assert rle("b") == before
        assert requests.get(f"{server.url}/health", timeout=30).json()["status"] == "UP"
        assert "MFP_DATABASE_URL" in server.log.read_text()
    finally:
        postgres.start()
    assert rle("c") == before
    assert requests.get(server.url, timeout=60).status_code == 200
