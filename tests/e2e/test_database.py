"""The real server on a database of several machines, and with a bucket."""

from __future__ import annotations

import base64
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from backend.demo.processes import Server, free_port, start_backend
from backend.storage.moving import upgrade_server
from backend.storage.shared_state import open_server
from mfp_model.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from mfp_model.weights import DEFAULT_WEIGHTS
from tests.buckets import s3
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.versions import served_version
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


def test_a_version_that_another_machine_promoted_into_the_bucket_answers(
    tmp_path: Path, postgres: Postgres, capture: Callable[[str], Any]
) -> None:
    body = capture("predict_first_click")
    body["tasks"][0]["data"]["image"] = _BOWL
    project = str(body["project"]).partition(".")[0]
    upgrade_server(open_server(url := postgres.new_database()))
    newer = dataclasses.replace(load_checkpoint(DEFAULT_WEIGHTS), version="newer")
    save_checkpoint(newer, tmp_path / "newer.safetensors")

    body["params"]["context"]["result"][0].update(original_width=1280, original_height=866)

    def version(server: Server, number: int) -> str:
        body["params"]["context"]["result"][0]["id"] = f"click {number}"
        answer = requests.post(f"{server.url}/predict", json=body, timeout=100).json()
        return str(answer["results"][0]["model_version"])

    with s3() as keys:
        shared = {"MFP_DATABASE_URL": url, "MFP_BUCKET": "s3://mfp/team", **keys}
        started = start_backend(
            tmp_path / "backend.log", port=free_port(), label_studio_url="", settings=shared
        )
        with started.running(limit_s=90) as server:
            assert version(server, 0) == served_version(DEFAULT_WEIGHTS)
            elsewhere = {**os.environ, **shared, "MFP_DATA_DIR": str(tmp_path / "elsewhere")}
            promote = ["models", "promote", str(tmp_path / "newer.safetensors")]
            subprocess.run(
                [sys.executable, "-m", "backend.cli", *promote, "--project", project],
                cwd=ROOT,
                env=elsewhere,
                check=True,
                timeout=120,
            )
            wanted = served_version(tmp_path / "newer.safetensors")
            until, number = time.monotonic() + 30, 1
            while version(server, number) != wanted and time.monotonic() < until:
                number += 1
                time.sleep(0.5)
            assert version(server, number + 1) == wanted
            assert "newer" in requests.get(server.url, timeout=60).text
