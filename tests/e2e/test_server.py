"""The real server process, spoken to as Label Studio does."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from backend.demo.processes import Server, free_port, start_backend
from mfp_model.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.weights import DEFAULT_WEIGHTS
from tests.e2e.conftest import PHOTOS
from tests.e2e.versions import served_version
from tests.processes import children
from tests.registries import registry_in

_VERSION = served_version(DEFAULT_WEIGHTS)
_BOWL = "data:image/jpeg;base64," + base64.b64encode((PHOTOS / "bowl.jpg").read_bytes()).decode()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return Path(shutil.copy(DEFAULT_WEIGHTS, tmp_path / "weights.safetensors"))


@contextmanager
def _running(folder: Path, checkpoint: Path) -> Iterator[Server]:
    started = start_backend(
        folder / "backend.log",
        port=free_port(),
        label_studio_url="",
        n_workers=2,
        settings={"MFP_CHECKPOINT": str(checkpoint), "MFP_LOG_FORMAT": "json"},
    )
    with started.running(limit_s=60):
        yield started


@pytest.fixture
def own_server(tmp_path: Path, checkpoint: Path) -> Iterator[Server]:
    """For tests that end it, or give it other weights."""
    with _running(tmp_path, checkpoint) as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that tests share, which count from where they begin."""
    with _running(tmp_path_factory.mktemp("server"), DEFAULT_WEIGHTS) as started:
        yield started


def _click(body: dict[str, Any], x: float, y: float, *, is_positive: bool) -> dict[str, Any]:
    return {
        **body,
        "id": f"{x}-{y}",
        "is_positive": is_positive,
        "original_width": 1280,
        "original_height": 866,
        "value": {"x": x, "y": y, "keypointlabels": ["Object"]},
    }


def _body(capture: Callable[[str], Any], *clicks: tuple[float, float]) -> dict[str, Any]:
    body: dict[str, Any] = capture("predict_first_click")
    body["tasks"][0]["data"]["image"] = _BOWL
    (point,) = body["params"]["context"]["result"]
    body["params"]["context"]["result"] = [_click(point, x, y, is_positive=True) for x, y in clicks]
    return body


def _predict(server: Server, body: dict[str, Any]) -> dict[str, Any]:
    answer = requests.post(f"{server.url}/predict", json=body, timeout=100)
    assert answer.status_code == 200
    (result,) = answer.json()["results"]
    return dict(result)


def _metric(server: Server, sample: str) -> float:
    text = requests.get(f"{server.url}/metrics", timeout=30).text
    values = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(sample)]
    return sum(map(float, values))


def _counter(server: Server, sample: str) -> Callable[[], float]:
    """How much a metric has grown since."""
    before = _metric(server, sample)
    return lambda: _metric(server, sample) - before


def _until(condition: Callable[[], bool], limit_s: float = 60) -> None:
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def _workers(server: Server) -> list[int]:
    """Those that answer; the server has a child for fine-tuning besides."""
    return sorted(children(server.process.pid, "cli serve"))


def _private_mb(pid: int) -> float:
    """What a process shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def test_workers_share_what_their_parent_imported(
    server: Server, capture: Callable[[str], Any]
) -> None:
    for x in range(4):
        _predict(server, _body(capture, (60 + x, 60)))
    assert all(_private_mb(pid) < 220 for pid in _workers(server))


def test_killing_the_workers_between_two_clicks_changes_no_byte(
    server: Server, capture: Callable[[str], Any]
) -> None:
    body = capture("predict_first_click")
    body["tasks"][0]["data"]["image"] = _BOWL
    (point,) = body["params"]["context"]["result"]
    clicks = [
        _click(point, 70, 70, is_positive=True),
        _click(point, 45, 45, is_positive=True),
        _click(point, 10, 10, is_positive=False),
    ]

    def rle(n_clicks: int) -> list[int]:
        body["params"]["context"]["result"] = clicks[:n_clicks]
        answer = requests.post(f"{server.url}/predict", json=body, timeout=100).json()
        (region,) = answer["results"][0]["result"]
        return list(region["value"]["rle"])

    step_by_step = [rle(n) for n in (1, 2, 3)]
    before = _workers(server)
    assert len(before) == 2
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 60
    while len(_workers(server)) < 2 or set(_workers(server)) & set(before):
        assert time.monotonic() < until
        time.sleep(0.1)
    server.wait(limit_s=60)
    assert [rle(n) for n in (3, 1, 2)] == [step_by_step[2], step_by_step[0], step_by_step[1]]


def test_a_newer_click_stops_the_older_one_whichever_worker_it_comes_to(
    server: Server, capture: Callable[[str], Any]
) -> None:
    n_pairs = 5  # at two workers seldom all at the same one
    n_superseded = _counter(server, 'mfp_clicks_total{outcome="superseded"}')
    for pair in range(n_pairs):
        points = [(10 + 3 * index, 20 + pair) for index in range(24)]
        with ThreadPoolExecutor(1) as other:
            older = other.submit(_predict, server, _body(capture, *points))
            _until(lambda: _metric(server, "mfp_waiting ") > 0)
            newer = _predict(server, _body(capture, points[0], (80, 80)))
            assert newer["result"]
            assert older.result()["result"] == []
    assert n_superseded() == n_pairs


def test_metrics_and_status_page_add_up_the_workers(
    server: Server, capture: Callable[[str], Any]
) -> None:
    n_logged = len(server.log.read_text())
    n_answered = _counter(server, 'mfp_clicks_total{outcome="answered"}')
    n_failed = _counter(server, 'mfp_clicks_total{outcome="failed"}')
    n_errors = _counter(server, 'mfp_errors_total{kind="ImageError"}')
    for x in range(6):
        with requests.Session() as connection:  # a new one, for whichever worker takes it
            body = _body(capture, (60 + x, 60))
            assert connection.post(f"{server.url}/predict", json=body, timeout=100).ok
    broken = _body(capture, (50, 50))
    broken["tasks"][0]["data"]["image"] = "ftp://host/a.png"
    requests.post(f"{server.url}/predict", json=broken, timeout=100)
    for _ in range(4):
        assert (n_answered(), n_failed(), n_errors()) == (6, 1, 1)
        assert _metric(server, "mfp_model{") == 2
        page = requests.get(server.url, timeout=30).text
        assert "ftp://host/a.png" in page
        assert "2 workers" in page
    lines = [json.loads(line) for line in server.log.read_text()[n_logged:].splitlines()]
    assert sum("answered in" in line["message"] for line in lines) == 6
    assert len({line["request_id"] for line in lines if "answered in" in line["message"]}) == 6


def test_sighup_loads_the_weights_anew_and_loses_no_click(
    own_server: Server, checkpoint: Path, capture: Callable[[str], Any]
) -> None:
    assert _predict(own_server, _body(capture, (60, 60)))["model_version"] == _VERSION
    newer = dataclasses.replace(load_checkpoint(checkpoint), version="newer")
    save_checkpoint(newer, checkpoint)
    new_version = served_version(checkpoint)
    before = _workers(own_server)
    own_server.process.send_signal(signal.SIGHUP)
    versions = set()
    until = time.monotonic() + 60
    while set(_workers(own_server)) & set(before) and time.monotonic() < until:
        versions.add(_predict(own_server, _body(capture, (60, 60)))["model_version"])
    assert versions <= {_VERSION, new_version}
    assert _predict(own_server, _body(capture, (60, 60)))["model_version"] == new_version
    engine = MfpSegmenter.load(checkpoint).device
    _until(
        lambda: _metric(own_server, f'mfp_model{{device="{engine}",version="{new_version}"}}') == 2
    )
    assert _metric(own_server, f'mfp_model{{device="{engine}",version="{_VERSION}"}}') == 0


def test_a_promotion_changes_new_objects_only_and_loses_no_click(
    server: Server, capture: Callable[[str], Any], tmp_path: Path
) -> None:
    n_failed = _counter(server, 'mfp_clicks_total{outcome="failed"}')

    def version(*clicks: tuple[float, float]) -> str:
        with requests.Session() as connection:  # a new one, for whichever worker takes it
            answer = connection.post(
                f"{server.url}/predict", json=_body(capture, *clicks), timeout=100
            )
            (result,) = answer.json()["results"]
            assert result["result"]
            return str(result["model_version"])

    seen = [version((60, 60))]
    assert seen == [_VERSION]
    newer = dataclasses.replace(load_checkpoint(DEFAULT_WEIGHTS), version="newer")
    save_checkpoint(newer, tmp_path / "newer.safetensors")
    registry = registry_in(server.log.with_name("backend-data") / "models")
    registry.add("newer", tmp_path / "newer.safetensors", server.log, {})
    project = str(capture("predict_first_click")["project"]).partition(".")[0]
    registry.promote("newer", project=project)
    new_version = served_version(tmp_path / "newer.safetensors")
    until = time.monotonic() + 30
    while seen[-8:] != [new_version] * 8 and time.monotonic() < until:
        seen.append(version((10 + len(seen) % 80, 30 + len(seen) / 100)))
    assert seen[-8:] == [new_version] * 8
    assert set(seen) == {_VERSION, new_version}
    for x in range(4):
        assert version((60, 60), (20 + x, 20)) == _VERSION, "begun before the promotion"
    assert registry.rollback(project=project) is None
    _until(lambda: version((40, time.monotonic() % 40)) == _VERSION)
    assert n_failed() == 0


def test_workers_leave_ctrl_c_to_the_process_that_started_them(
    server: Server, capture: Callable[[str], Any]
) -> None:
    before = _workers(server)
    for pid in before:
        os.kill(pid, signal.SIGINT)
    assert _predict(server, _body(capture, (60, 60)))["result"]
    time.sleep(1.5)  # a worker looks once a second whether it shall end
    assert _workers(server) == before


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_what_is_being_computed_is_finished_before_it_ends(
    own_server: Server, ending: signal.Signals, capture: Callable[[str], Any]
) -> None:
    _predict(own_server, _body(capture, (60, 60)))  # the weights are loaded
    many = _body(capture, *[(10 + 4 * i, 20 + 2 * i) for i in range(15)])
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_predict, own_server, many)
        _until(lambda: _metric(own_server, "mfp_waiting") == 1)
        os.killpg(own_server.process.pid, ending)  # systemd and Ctrl-C send it to all processes
        assert answer.result(60)["result"], "what is being computed is finished"
    assert own_server.process.wait(40) == 0
    assert "Traceback" not in own_server.log.read_text()


def test_clicks_superseded_on_the_way_are_answered_empty(
    server: Server, capture: Callable[[str], Any]
) -> None:
    for _ in range(2):  # both workers have weights and image
        _predict(server, _body(capture, (60, 60)))
    n_superseded = _counter(server, 'mfp_clicks_total{outcome="superseded"}')
    clicks = [(10 + i, 20 + i % 60) for i in range(80)]  # they take seconds
    with ThreadPoolExecutor(1) as pool:
        older = pool.submit(_predict, server, _body(capture, *clicks))
        _until(lambda: _metric(server, "mfp_waiting") == 1)
        newest = _predict(server, _body(capture, *clicks, (70, 70)))
        assert older.result(100)["result"] == []
    assert newest["result"]
    assert n_superseded() == 1


def test_it_refuses_other_machines_without_a_password(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "backend.cli", "serve", "--host", "0.0.0.0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "set MFP_USERNAME and MFP_PASSWORD" in ended.stderr
    server = start_backend(
        tmp_path / "log",
        port=free_port(),
        label_studio_url="",
        host="0.0.0.0",
        settings={"MFP_USERNAME": "team", "MFP_PASSWORD": "secret"},
    )
    with server.running(limit_s=60):
        assert requests.get(server.url, timeout=10).status_code == 401
        assert requests.get(server.url, auth=("team", "secret"), timeout=10).status_code == 200
