"""Hours of several annotators in a few minutes: does memory stay bounded, are clicks answered?"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backend.bench.annotator import SimulatedAnnotator
from backend.bench.server import Photo, bench_server, memory_mb
from backend.demo.processes import Server, ServerError

_SIZES = [(640, 480), (1024, 768), (1920, 1080), (899, 1201), (4000, 3000)] * 8
_SAMPLE_EVERY_S = 1.0
# Small enough that images and clicks fill their shares after some minutes.
_CACHES = {"MFP_MEMORY_MB": "600"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What a soak found.

    Attributes:
        seconds: When memory was looked at, from the start.
        memory_mb: Resident memory of the server's processes then.
        click_s: When clicks were answered.
        click_ms: How long each took.
        n_empty: Answers without a mask: none is expected.
        n_failed: Requests without an answer: none is expected.
    """

    seconds: list[float]
    memory_mb: list[float]
    click_s: list[float]
    click_ms: list[float]
    n_empty: int
    n_failed: int

    def figures(self) -> dict[str, float]:
        """Return the figures; memory once a third of the time is over, and at the end."""
        third = len(self.memory_mb) // 3
        rest = self.memory_mb[third:] or [0.0]
        return {
            "minutes": round(self.seconds[-1] / 60, 2) if self.seconds else 0.0,
            "n_clicks": len(self.click_ms),
            "n_empty": self.n_empty,
            "n_failed": self.n_failed,
            "median_ms": round(statistics.median(self.click_ms), 1) if self.click_ms else 0.0,
            "p95_ms": round(float(np.percentile(self.click_ms or [0.0], 95)), 1),
            "memory_mb_after_a_third": round(statistics.median(rest[: max(1, len(rest) // 10)]), 1),
            "memory_mb_at_the_end": round(statistics.median(rest[-max(1, len(rest) // 10) :]), 1),
            "memory_mb_highest": round(max(self.memory_mb, default=0.0), 1),
        }


def soak(
    *, minutes: float, n_annotators: int, n_workers: int, report: Callable[[float], None]
) -> Soak:
    """Run a server of its own under several annotators, and return what was seen.

    Args:
        minutes: How long.
        n_annotators: Clicking at the same time.
        n_workers: Of the server.
        report: Told the share of the time that is over, about once a second.

    Raises:
        ConfigError: There is no `/proc` to read memory from.
        ServerError: The server does not start, or ends by itself.
    """
    with bench_server(_SIZES, settings=_CACHES, n_workers=n_workers) as (server, photos):
        return _watched(server, photos, minutes, n_annotators, report)


def _watched(
    server: Server,
    photos: list[Photo],
    minutes: float,
    n_annotators: int,
    report: Callable[[float], None],
) -> Soak:
    started = time.monotonic()
    is_over = threading.Event()
    clicks: list[tuple[float, float]] = []
    annotators = [SimulatedAnnotator(url=server.url) for _ in range(n_annotators)]
    threads = [
        threading.Thread(target=_work, args=(annotator, photos, index, is_over, clicks, started))
        for index, annotator in enumerate(annotators)
    ]
    for thread in threads:
        thread.start()
    seconds, memory = [], []
    try:
        while (passed := time.monotonic() - started) < 60 * minutes:
            if server.process.poll() is not None:
                raise ServerError(f"the server ended with {server.process.returncode}")
            seconds.append(passed)
            memory.append(memory_mb(server.process.pid))
            report(passed / (60 * minutes))
            time.sleep(_SAMPLE_EVERY_S)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    clicks.sort()
    return Soak(
        seconds=seconds,
        memory_mb=memory,
        click_s=[at for at, _ in clicks],
        click_ms=[ms for _, ms in clicks],
        n_empty=sum(annotator.n_empty for annotator in annotators),
        n_failed=sum(annotator.n_failed for annotator in annotators),
    )


def _work(
    annotator: SimulatedAnnotator,
    photos: list[Photo],
    seed: int,
    is_over: threading.Event,
    clicks: list[tuple[float, float]],
    started: float,
) -> None:
    """Object after object: a few clicks each, now and then one taken back."""
    random = np.random.default_rng(seed)
    while not is_over.is_set():
        index = int(random.integers(len(photos)))
        annotator.open(index + 1, photos[index])
        for turn in range(int(random.integers(1, 7))):
            if is_over.is_set():
                return
            if turn > 1 and random.random() < 0.15:
                annotator.undo()
            x, y = random.uniform(0, 100, size=2)
            ms = annotator.click(x, y, is_positive=turn == 0 or random.random() < 0.7)
            if ms is not None:
                clicks.append((time.monotonic() - started, ms))
