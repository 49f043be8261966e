"""What `mfp serve --ray` with one replica costs a click, for docs/cluster.md.

    python -m tests.benchmarks.replica_overhead --objects 40

Both servers run, and one annotator clicks in turns on each, so both see the same load.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import requests

from backend.bench.annotator import SimulatedAnnotator
from backend.bench.server import bench_server, memory_mb
from backend.demo.processes import Server

_CLICKS = 4


def _until_ready(server: Server) -> None:
    while not requests.get(f"{server.url}/ready", timeout=5).ok:
        time.sleep(0.2)


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=40)
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 768), metavar=("W", "H"))
    options = parser.parse_args()
    n_objects: int = options.objects
    width, height = options.size
    settings, ray = {"MFP_TORCH_THREADS": "1"}, ["--ray", "--replicas", "1"]
    times: dict[str, list[float]] = {}
    with (
        bench_server([(width, height)], settings=settings) as (plain, photos),
        bench_server([(width, height)], settings=settings, arguments=ray) as (front, _),
    ):
        servers = {"plain": plain, "ray": front}
        annotators = {name: SimulatedAnnotator(url=host.url) for name, host in servers.items()}
        for name, server in servers.items():
            _until_ready(server)
            annotators[name].open(1, photos[0])
        time.sleep(2)
        random = np.random.default_rng(1)
        for index in range(n_objects + 1):
            places = random.uniform(30, 70, size=(_CLICKS, 2))
            for annotator in annotators.values():
                annotator.points = []
            for turn, (x, y) in enumerate(places):
                answers = {
                    name: annotator.click(x, y, is_positive=turn != 2)
                    for name, annotator in annotators.items()
                }
                if None not in answers.values() and index:  # the first object warms up
                    kind = "next" if turn else "first"
                    for name, ms in answers.items():
                        times.setdefault(f"{name} {kind}", []).append(ms or 0)
        for name, server in servers.items():
            print(f"{name}: {memory_mb(server.process.pid):.0f} MB in server and children")
    for name, measured in times.items():
        low, high = np.percentile(measured, (10, 95))
        print(f"{name}: median {statistics.median(measured):.1f} ms, 10% {low:.1f}, 95% {high:.1f}")
    for kind in ("first", "next"):
        pairs = zip(times[f"ray {kind}"], times[f"plain {kind}"], strict=True)
        more = [with_ray - without for with_ray, without in pairs]
        print(f"{kind}: median of what ray takes more {statistics.median(more):.1f} ms")


if __name__ == "__main__":
    _main()
