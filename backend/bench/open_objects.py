"""A thousand objects being clicked on at once: is the server's memory bounded?"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from backend.bench.annotator import SimulatedAnnotator
from backend.bench.server import Photo, memory_mb
from backend.demo.processes import Server


def measure_open_objects(
    server: Server, photos: Sequence[Photo], *, n_objects: int
) -> dict[str, float]:
    """Click once on every object, and then once more on each of them.

    Args:
        server: The server.
        photos: Photos to spread the objects over.
        n_objects: In all, with two clicks each.

    Returns:
        Clicks without an answer, the server's resident memory with its weights after one click,
        the most that was seen, and how long all of it took.
    """
    random = np.random.default_rng(0)
    first = SimulatedAnnotator(url=server.url)  # whose click waits for the weights
    first.open(1, photos[0])
    first.click(50, 50)
    before = highest = memory_mb(server.process.pid)
    started = time.monotonic()
    annotators = [SimulatedAnnotator(url=server.url) for _ in range(n_objects)]
    for turn in range(2):
        for index, annotator in enumerate(annotators):
            number = index * len(photos) // n_objects
            if turn == 0:
                annotator.open(1 + number, photos[number])
            annotator.click(*random.uniform(20, 80, size=2))
            highest = max(highest, memory_mb(server.process.pid))
    return {
        "n_objects": n_objects,
        "n_photos": len(photos),
        "n_failed": sum(annotator.n_failed for annotator in annotators),
        "memory_mb_before": round(before, 1),
        "memory_mb_highest": round(highest, 1),
        "seconds": round(time.monotonic() - started, 1),
    }
