"""How long the running server takes for each kind of click, as one annotator sees it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from backend.bench.annotator import SimulatedAnnotator
from backend.bench.server import Photo

_PREFETCH_S = 1.5
KINDS = ("first", "next", "undo", "moved")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickTimes:
    """Milliseconds from request to mask, on one photo.

    Attributes:
        first: First clicks on objects of a task that was opened before.
        next: Later clicks.
        undo: Clicks after the last one was taken back.
        moved: Questions after the last point was dragged.
        n_empty: Clicks answered without a mask, as when a negative one takes all of it.
        n_failed: Clicks answered with an error or not at all.
    """

    first: list[float] = field(default_factory=list)
    next: list[float] = field(default_factory=list)
    undo: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    n_empty: int
    n_failed: int

    def figures(self) -> dict[str, float]:
        """Return median and 95th percentile of each kind."""
        shares = {"median": 50, "p95": 95}
        times = {
            f"{kind}_{name}_ms": round(float(np.percentile(getattr(self, kind) or [0], share)), 1)
            for kind in KINDS
            for name, share in shares.items()
        }
        return {**times, "n_empty": self.n_empty, "n_failed": self.n_failed}


def measure_clicks(url: str, task: int, photo: Photo, *, n_objects: int) -> ClickTimes:
    """Return the times of objects with six clicks each."""
    annotator = SimulatedAnnotator(url=url)
    random = np.random.default_rng(task)
    annotator.open(task, photo)
    time.sleep(_PREFETCH_S)
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for index in range(n_objects + 1):
        for kind, ms in _click_object(annotator, random):
            if index:  # the first object warms up
                times[kind].append(ms)
    return ClickTimes(**times, n_empty=annotator.n_empty, n_failed=annotator.n_failed)


def _click_object(
    annotator: SimulatedAnnotator, random: np.random.Generator
) -> Iterator[tuple[str, float]]:
    centre, annotator.points = random.uniform(30, 70, size=2), []
    for turn, kind in enumerate(("first", "next", "next", "next", "undo", "moved")):
        x, y = centre + random.uniform(-10, 10, size=2)
        if kind == "moved":
            annotator.move(x, y)
            ms = annotator.ask()
        else:
            if kind == "undo":
                annotator.undo()
            ms = annotator.click(x, y, is_positive=turn % 3 != 2)
        if ms is not None:
            yield kind, ms
