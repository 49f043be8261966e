"""The bench itself, on little."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.bench import bench as module
from backend.bench.bench import BenchConfig, bench
from backend.bench.bench_table import report_lines
from backend.bench.crowd import measure_crowd
from backend.bench.server import Photo
from backend.cli import main
from tests.processes import children


def test_a_short_bench_measures_and_tells_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_N_STEP_REPEATS", 2)
    file, plot = tmp_path / "speed.json", tmp_path / "speed.png"
    command = ["bench", "--json", str(file), "--plot", str(plot)]
    command += "--sizes 320x240,90x70 --objects 1 --concurrency 2 --seconds 2".split()
    assert main([*command, "--open-objects", "3", "--flows", "1"]) == 0
    text, said = capsys.readouterr()
    steps = [line for line in said.splitlines() if line.startswith("measuring: ")]
    assert steps[:3] == ["measuring: engine", "measuring: steps", "measuring: memory"]
    figures = json.loads(file.read_text())
    assert figures["engine"]["difference"] < 0.05
    assert figures["engine"]["engine_first_ms"] > figures["engine"]["engine_later_ms"]
    for size in ("320x240", "90x70"):
        assert {"crop", "network", "mask", "brush RLE"} <= set(figures["steps_ms"][size])
        assert 0 < figures["state_bytes"][size] <= 1_000_000
        clicks = figures["clicks"][size]
        assert clicks["n_failed"] == 0
        assert clicks["first_p95_ms"] >= clicks["first_median_ms"] > 0
    assert figures["annotators"]["n_failed"] == figures["open_objects"]["n_failed"] == 0
    assert (
        figures["open_objects"]["memory_mb_highest"] > figures["open_objects"]["memory_mb_before"]
    )
    actions = {(flow["flow"], flow["mode"]): flow["actions"] for flow in figures["flows"]}
    assert actions["one click", "check"] == 2
    assert actions["one click", "auto"] == actions["a correction", "auto"] == 1
    assert actions["twenty, one by one", "check"] == 40
    assert actions["twenty, all like this", "auto"] == 2
    assert all(flow["median_ms"] > 0 and flow["masks"] for flow in figures["flows"])
    assert not any(flow["n_failed"] for flow in figures["flows"])
    one_mask = ("one click", "two clicks", "a correction", "a box", "several classes")
    assert {flow["masks"] for flow in figures["flows"] if flow["flow"] in one_mask} == {1}
    for part in (
        "engine",
        "steps at 90x70",
        "server at 320x240",
        "annotators",
        "open_objects",
        "two clicks, Auto",
    ):
        assert part in text
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_crowd_that_is_never_answered_is_told() -> None:
    photo = Photo(name="1.jpg", width=90, height=70)
    crowd = measure_crowd("http://127.0.0.1:9", [photo], n_annotators=2, seconds=0.5, every_s=0.2)
    assert crowd["n_failed"] > 0
    assert (crowd["n_clicks"], crowd["median_ms"], crowd["unfairness"]) == (0, 0, 0)


def test_a_segmenter_without_a_network_and_a_network_without_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_N_ENGINE_REPEATS", 2)
    monkeypatch.setattr(module, "_N_STEP_REPEATS", 2)
    small = BenchConfig(
        sizes=((90, 70),), n_objects=1, n_annotators=0, n_flows=0, segmenter="graph-cut"
    )
    figures = bench(small)
    assert "engine" not in figures
    assert "round" in figures["steps_ms"]["90x70"]
    figures = bench(BenchConfig(sizes=((90, 70),), network="lite2"))
    assert "clicks" not in figures
    assert figures["engine"]["engine"]
    assert list(report_lines(figures))


def test_its_server_ends_with_it() -> None:
    command = [sys.executable, "-m", "backend.cli", "bench", "--segmenter", "graph-cut"]
    with subprocess.Popen([*command, "--sizes", "90x70"], stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while not (servers := _servers_of(process.pid)):
            assert time.monotonic() < until
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    assert not any(Path(f"/proc/{server}").exists() for server in servers)


def _servers_of(pid: int) -> set[int]:
    return children(pid, "cli serve")
