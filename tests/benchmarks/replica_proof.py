"""Clicks on four replicas that come, go and are killed, for docs/cluster.md.

    python -m tests.benchmarks.replica_proof --sequences 200 --minutes 10

A Ray of two nodes, replicas that wait 30 ms in place of computing, and two fronts.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import requests
from flask.testing import FlaskClient

from backend.bench.annotator import SimulatedAnnotator
from backend.bench.crowd import measure_crowd
from backend.bench.server import make_photos
from backend.cluster.connecting import connect, prepare
from backend.demo.processes import Server, free_port, start_backend
from backend.models.served import ServedModels
from backend.server.app import create_app
from backend.settings import Settings
from tests.fakes import DiskSegmenter
from tests.processes import descendants
from tests.unit.backend.cluster.waiting import load_waiting, newest_answer

_SIZES = [(320, 240), (400, 300)] * 8
_REPLICAS, _CLICKS, _AT_ONCE = 4, 3, 8
_READY_S = 120.0
_EVERY_S = 2.0  # between two clicks of an annotator
_MEMORY_MB = 1200.0  # so little that rounds fill their share soon
_MEMORY_EVERY_S = 5.0

Rows = list[Any]


class _NearAnnotator(SimulatedAnnotator):
    """Asks an application in this process."""

    client: FlaskClient

    def _post(self, *, context: object) -> list[dict[str, object]] | None:
        answer = self.client.post("/predict", json=self.body(context)).get_json()
        return list(answer["results"])


class _FarAnnotator(SimulatedAnnotator):
    """Asks one front, and another one where that is away, as a load balancer does."""

    fronts: list[str]

    def _post(self, *, context: object) -> list[dict[str, object]] | None:
        for url in self.fronts:
            try:
                answer = requests.post(f"{url}/predict", json=self.body(context), timeout=100)
                answer.raise_for_status()
            except requests.RequestException:
                continue
            return list(answer.json()["results"])
        return None


@dataclass(slots=True)
class _Phase:
    """What came of the sequences while something was done to the cluster."""

    n_sequences: int = 0
    n_same: int = 0
    n_lost: int = 0
    slowest_s: float = 0.0
    guard: threading.Lock = field(default_factory=threading.Lock)

    def note(self, rows: Rows, expected: Rows, ms: float) -> bool:
        with self.guard:
            self.n_lost += not rows
            self.slowest_s = max(self.slowest_s, ms / 1000)
        return rows == expected

    def figures(self) -> dict[str, float]:
        return {
            "sequences": self.n_sequences,
            "same": self.n_same,
            "lost": self.n_lost,
            "slowest_s": round(self.slowest_s, 2),
        }


class _Proof:
    """A cluster with two fronts, and the clicks of one process to compare with."""

    def __init__(self, folder: Path, n_sequences: int) -> None:
        from ray.cluster_utils import Cluster

        self._folder = folder
        self._photos = make_photos(folder, _SIZES)
        self._n_sequences = n_sequences
        node = {"node_ip_address": "127.0.0.1", "object_store_memory": 200_000_000}
        self._ray = Cluster(
            initialize_head=True,
            head_node_args={**node, "num_cpus": 0, "include_dashboard": False},
        )
        for _ in range(2):
            self._ray.add_node(**node, num_cpus=4)
        connect(self._ray.address)
        self._settings = Settings(
            data_dir=folder / "backend-data", local_files_dir=folder, memory_mb=_MEMORY_MB
        )
        self._settings.data_dir.mkdir()
        self.deploy(_REPLICAS)
        self.fronts = [self._front(name) for name in ("first", "second")]
        self._expected = self._of_one_process()

    def deploy(self, n_replicas: int) -> None:
        from backend.cluster.deployment import deploy

        settings = self._settings.with_torch_threads(1)
        deploy(settings, n_replicas=n_replicas, has_gpus=False, load=load_waiting)

    def _front(self, name: str) -> Server:
        server = start_backend(
            self._folder / f"{name}.log",
            port=free_port(19990),
            label_studio_url="",
            settings={
                "MFP_LOCAL_FILES_DIR": str(self._folder),
                "MFP_TORCH_THREADS": "1",
                "MFP_MAX_WAITING": "96",
                "MFP_MEMORY_MB": str(_MEMORY_MB),
            },
            arguments=["--ray", "--address", self._ray.address],
        )
        server.wait(limit_s=_READY_S)
        until = time.monotonic() + _READY_S
        while not requests.get(f"{server.url}/ready", timeout=5).ok:
            assert time.monotonic() < until, server.log.read_text()[-3000:]
            time.sleep(0.2)
        return server

    def _of_one_process(self) -> list[list[Rows]]:
        models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
        settings = Settings(data_dir=self._folder / "alone", local_files_dir=self._folder)
        annotator = _NearAnnotator(url="")
        annotator.client = create_app(settings, models=models).test_client()
        models.segmenter("1", wait_s=_READY_S)
        return [
            [rows for rows, _ in self._clicks(annotator, index)]
            for index in range(self._n_sequences)
        ]

    def _clicks(self, annotator: SimulatedAnnotator, index: int) -> list[tuple[Rows, float]]:
        """What is answered to each click of a sequence, and how long it took."""
        random = np.random.default_rng(index)
        annotator.open(index + 1, self._photos[index % len(self._photos)])
        answers = []
        for turn in range(_CLICKS):
            x, y = random.uniform(10, 90, size=2)
            ms, rows = annotator.answer_to_click(x, y, is_positive=turn != 1)
            answers.append(([row["value"] for row in rows], ms))
        return answers

    def phase(self, act: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Click all sequences while something is done, and once more when it is done."""
        phase = _Phase()

        def sequence(index: int) -> None:
            annotator = _FarAnnotator(url="")
            annotator.fronts = [front.url for front in self.fronts]
            if index % 2:
                annotator.fronts.reverse()
            answers = zip(self._clicks(annotator, index), self._expected[index], strict=True)
            same = [phase.note(rows, expected, ms) for (rows, ms), expected in answers]
            with phase.guard:
                phase.n_sequences += 1
                phase.n_same += all(same)

        with ThreadPoolExecutor(_AT_ONCE + 1) as pool:
            acting, was_done = pool.submit(_after, 0.5, act), False
            while not was_done:
                was_done = acting.done()
                list(pool.map(sequence, range(self._n_sequences)))
            acting.result()
        return phase.figures()

    def kill_replica(self) -> None:
        """Kill the one that has just begun a round."""
        os.kill(newest_answer(self._settings.data_dir), signal.SIGKILL)

    def kill_front(self) -> None:
        os.killpg(self.fronts[0].process.pid, signal.SIGKILL)

    def soak(self, minutes: float, n_annotators: int) -> dict[str, object]:
        """Let annotators click, and watch the memory of all processes."""
        memory: list[dict[str, float]] = []
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(_MEMORY_EVERY_S):
                memory.append(_memory_mb(os.getpid()))

        watching = threading.Thread(target=watch)
        watching.start()
        crowd = measure_crowd(
            self.fronts[1].url,
            self._photos,
            n_annotators=n_annotators,
            seconds=60 * minutes,
            every_s=_EVERY_S,
        )
        is_over.set()
        watching.join()
        tenth = max(1, len(memory) // 10)
        slices = {"begin": memory[tenth : 2 * tenth], "end": memory[-tenth:]}
        used = {
            f"{name}_mb_at_{when}": round(float(np.median([each[name] for each in part])))
            for name in memory[0]
            for when, part in slices.items()
        }
        return {**crowd, **used}

    def end(self) -> None:
        import ray

        for front in self.fronts:
            front.stop()
        ray.shutdown()
        self._ray.shutdown()


def _after(seconds: float, act: Callable[[], None]) -> None:
    time.sleep(seconds)
    act()


def _memory_mb(root: int) -> dict[str, float]:
    """Proportional set sizes of a process's descendants, by what they are."""
    used = dict.fromkeys(("front", "replicas", "ray"), 0.0)
    for pid in descendants(root):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text()
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it has just ended
        pss = next(line for line in lines if line.startswith("Pss:"))
        is_front = "backend.cli" in command
        what = "front" if is_front else "replicas" if "ServeReplica" in command else "ray"
        used[what] += int(pss.split()[1]) / 1000
    return used


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--annotators", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    prepare("", os.environ)
    with tempfile.TemporaryDirectory() as name:
        proof = _Proof(Path(name), options.sequences)
        try:
            phases = {
                "four replicas": proof.phase(),
                "one is added": proof.phase(lambda: proof.deploy(_REPLICAS + 1)),
                "two are removed": proof.phase(lambda: proof.deploy(_REPLICAS - 1)),
                "one is killed": proof.phase(proof.kill_replica),
                "a front is killed": proof.phase(proof.kill_front),
            }
            for what, figures in phases.items():
                print(f"{what}: {json.dumps(figures)}", flush=True)
            proof.deploy(_REPLICAS)
            if options.minutes:
                print(json.dumps(proof.soak(options.minutes, options.annotators)), flush=True)
        finally:
            proof.end()


if __name__ == "__main__":
    _main()
