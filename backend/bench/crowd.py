"""Many annotators at once, each clicking in its own time."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence

import numpy as np

from backend.bench.annotator import SimulatedAnnotator
from backend.bench.server import Photo

_CLICKS_PER_OBJECT = 4
_NEGATIVE_CLICK = 2


def measure_crowd(
    url: str,
    photos: Sequence[Photo],
    *,
    n_annotators: int,
    seconds: float,
    every_s: float = 1.0,
) -> dict[str, float]:
    """Let annotators click on objects of four clicks each, on a task of their own.

    Args:
        url: The server's.
        photos: What is clicked on.
        n_annotators: Clicking at the same time.
        seconds: How long.
        every_s: An annotator's seconds from one click to the next, on average.

    Returns:
        Clicks, those without a mask and without an answer, and milliseconds of the answered ones;
        `unfairness` is the slowest annotator's median by everybody's. No answer at all is 0 ms.
    """
    annotators = [SimulatedAnnotator(url=url) for _ in range(n_annotators)]
    for index, annotator in enumerate(annotators):
        annotator.open(1 + index, photos[index % len(photos)])
    time.sleep(2)
    taken: list[list[float]] = [[] for _ in annotators]
    started = time.monotonic()
    threads = [
        threading.Thread(
            target=_work, args=(annotator, index, started, seconds, every_s, taken[index])
        )
        for index, annotator in enumerate(annotators)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [ms for annotator_ms in taken for ms in annotator_ms] or [0.0]
    medians = [statistics.median(annotator_ms) for annotator_ms in taken if annotator_ms]
    return {
        "n_annotators": n_annotators,
        "n_clicks": sum(map(len, taken)),
        "n_empty": sum(annotator.n_empty for annotator in annotators),
        "n_failed": sum(annotator.n_failed for annotator in annotators),
        "median_ms": round(statistics.median(every), 1),
        "p95_ms": round(float(np.percentile(every, 95)), 1),
        "slowest_ms": round(max(every), 1),
        "unfairness": round(max(medians, default=0.0) / (statistics.median(every) or 1.0), 2),
    }


def _work(
    annotator: SimulatedAnnotator,
    index: int,
    started: float,
    seconds: float,
    every_s: float,
    taken: list[float],
) -> None:
    """A click, and the next one after a pause, or at once where the last one took longer."""
    random = np.random.default_rng(index)
    centre = random.uniform(30, 70, size=2)
    due = started + every_s * random.random()
    while due < started + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        if len(annotator.points) == _CLICKS_PER_OBJECT:
            centre, annotator.points = random.uniform(30, 70, size=2), []
        x, y = centre + random.uniform(-10, 10, size=2)
        ms = annotator.click(x, y, is_positive=len(annotator.points) != _NEGATIVE_CLICK)
        if ms is not None:
            taken.append(ms)
        due = max(due + every_s * random.uniform(0.5, 1.5), time.monotonic())
