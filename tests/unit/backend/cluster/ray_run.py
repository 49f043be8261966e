"""Replicas of a real Ray that wait instead of computing: prints what came of it as JSON.

python -m tests.unit.backend.cluster.ray_run --replicas 4 --seconds 2
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from backend.answering.turns import ClickedObject, Place
from backend.cluster.connecting import connect, prepare
from backend.cluster.messages import Which
from backend.cluster.ray_replicas import RayReplicas
from backend.cluster.remote import RemoteSegmenter
from backend.images.loader import LoadedImage
from mfp_model.prompts import Click
from tests.fakes import DiskSegmenter, temporary_settings
from tests.unit.backend.cluster.batch_works import figures
from tests.unit.backend.cluster.waiting import ROUND_S, load_waiting, who_answered

_IMAGE = LoadedImage(
    pixels=np.full((90, 400, 3), 90, np.uint8), digest="grey"
)  # a session clicks at its number
_N_SESSIONS = 64
_N_PLACED = 96
_AT_ONCE = 4  # so few never find a replica busy
_SHORT = 20  # a session's clicks while a replica is killed


class _Run:
    """One Ray, with as many replicas as wanted."""

    def __init__(self, folder: Path, seconds: float, round_s: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._load = partial(load_waiting, round_s=round_s)
        self._settings = replace(
            temporary_settings(), data_dir=folder, max_waiting=256
        ).with_torch_threads(1)
        connect("", n_cpus=64)
        self._replicas = RayReplicas(folder)
        self.slowest_s = 0.0

    def deploy(self, n_replicas: int) -> None:
        from ray import serve

        from backend.cluster.deployment import APPLICATION, deploy

        deploy(self._settings, n_replicas=n_replicas, has_gpus=False, load=self._load)
        if self._replicas._handle is None:
            self._replicas._handle = serve.get_app_handle(APPLICATION)
        self._remote = RemoteSegmenter.of(self._replicas, Which())
        self._wait_for_routes(n_replicas)

    def sequence(self, session: int, n_clicks: int) -> bool:
        """Click; whether all answers are those of one process."""
        clicks = [Click(x=session, y=10 + 5 * (turn % 14)) for turn in range(n_clicks)]
        expected = DiskSegmenter().rounds(_IMAGE.pixels, clicks)
        is_same, begun = True, time.monotonic()
        for answer, local in zip(self._rounds(session, clicks), expected, strict=True):
            is_same &= bool(np.array_equal(answer.probability_map, local.probability_map))
            self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
            begun = time.monotonic()
        return is_same

    def throughput(self) -> float:
        """Rounds a second under as many annotators as there are sessions."""
        until, n_rounds = time.monotonic() + self._seconds, 0
        guard = threading.Lock()

        def click(session: int) -> None:
            nonlocal n_rounds
            while time.monotonic() < until:
                for _ in self._rounds(session, [Click(x=session, y=10)]):
                    with guard:
                        n_rounds += 1

        started = time.monotonic()
        with ThreadPoolExecutor(_N_SESSIONS) as pool:
            list(pool.map(click, range(_N_SESSIONS)))
        return n_rounds / (time.monotonic() - started)

    def places(self) -> dict[str, int]:
        """Which process answers each session while none is busy."""

        def click(session: int) -> None:
            for _ in self._rounds(session, [Click(x=session, y=10)]):
                pass

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(click, range(_N_PLACED)))
        return who_answered(self._folder)

    def photo(self) -> bool:
        """Click on an image of 9 MB, and ask what it looks like; whether both are answered."""
        image = LoadedImage(pixels=np.full((1500, 2000, 3), 90, np.uint8), digest="photo")
        (answer,) = self._rounds(0, [Click(x=700, y=300)], image)
        self._remote.appearance(image.pixels)
        return bool(answer.mask[300, 700])

    def kill_in_a_click(self) -> tuple[list[bool], int]:
        """Kill the replica that computes for a session with -9, and go on clicking."""
        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(self.sequence, session, _SHORT) for session in range(8)]
            time.sleep(0.3)
            victim = who_answered(self._folder)["0"]
            os.kill(victim, signal.SIGKILL)
            return [each.result(120) for each in running], victim

    def _rounds(self, session: int, clicks: list[Click], image: LoadedImage = _IMAGE):  # noqa: ANN202
        who = ClickedObject(task=f"1:{session}", point_ids=frozenset({f"{session}"}))
        place = Place(who, 0, lambda: False, lambda: False)
        return self._remote.for_click(image, place).rounds(image.pixels, clicks)

    def _wait_for_routes(self, n_replicas: int) -> None:
        """Until the router knows all of them: it hears a little later than the controller."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            (self._folder / "answered").unlink(missing_ok=True)
            if len(set(self.places().values())) == n_replicas:
                return
        raise TimeoutError(f"{n_replicas} replicas do not all answer")


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicas", type=int, nargs="+", default=[4])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--round-s", type=float, default=ROUND_S)
    options = parser.parse_args()
    prepare("", os.environ)
    report: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        run = _Run(Path(name), options.seconds, options.round_s)
        run.deploy(1)
        rates = {1: run.throughput()}
        report["photo"] = run.photo()
        before: dict[str, int] = {}
        for n_replicas in options.replicas:
            run.deploy(n_replicas)
            rates[n_replicas] = run.throughput()
            before = run.places()
        n_replicas = options.replicas[-1]
        with ThreadPoolExecutor(16) as pool:
            same = list(
                pool.map(lambda session: run.sequence(session, 3), range(options.sequences))
            )
        report |= {"rates": rates, "same": sum(same), "slowest_s": run.slowest_s}
        run.deploy(n_replicas + 1)
        after = run.places()
        moved = [session for session in before if before[session] != after[session]]
        report |= {"moved": len(moved) / len(before), "expected": 1 / (n_replicas + 1)}
        to_old = [session for session in moved if after[session] in before.values()]
        run.slowest_s = 0.0
        survived, _ = run.kill_in_a_click()
        report |= {"to_old": len(to_old), "survived": survived, "pause_s": run.slowest_s}
        report["batch"] = figures(Path(name))
    print(json.dumps(report))


if __name__ == "__main__":
    _main()
