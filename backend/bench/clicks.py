"""How long the running server takes for each kind of click, as one annotator sees it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from backend.bench.annotator import SimulatedAnnotator
from backend.bench.server import Photo

_PREFETCH_S = 1.5
KINDS = ("first", "next", "undo", "moved")


def measure_clicks(url: str, task: int, photo: Photo, *, n_objects: int) -> dict[str, float]:
    """Return the milliseconds from request to mask, of objects with six clicks each on one photo.

    They are the median and the 95th percentile of each kind: `first` clicks on objects of a task
    that was opened before, the `next` ones, those after an `undo`, and questions after the last
    point was `moved`. `n_empty` clicks were answered without a mask, as when a negative one takes
    all of it, and `n_failed` with an error or not at all.
    """
    annotator = SimulatedAnnotator(url=url)
    random = np.random.default_rng(task)
    annotator.open(task, photo)
    time.sleep(_PREFETCH_S)
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for index in range(n_objects + 1):
        for kind, ms in _click_object(annotator, random):
            if index:  # the first object warms up
                times[kind].append(ms)
    figures = {
        f"{kind}_{name}_ms": round(float(np.percentile(taken or [0], share)), 1)
        for kind, taken in times.items()
        for name, share in (("median", 50), ("p95", 95))
    }
    return {**figures, "n_empty": annotator.n_empty, "n_failed": annotator.n_failed}


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
