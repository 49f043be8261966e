"""The ways to an object's mask, as the page sends them: actions and milliseconds.

Each way goes from a clean state to the next object. What people need between two actions is not
in the figures.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backend.bench.annotator import SimulatedAnnotator
from backend.bench.server import Photo
from backend.bench.tray import tray_places

MODES = ("check", "auto")
_PREFETCH_S = 1.5
_JITTER = 0.05  # on a coin, of the way between two objects: no click is one that was answered
_BRUSH = """<View><Image name="image" value="$image"/>
<BrushLabels name="mask" toName="image" {}><Label value="Object"/><Label value="Thing"/>
</BrushLabels>
<RectangleLabels name="box" toName="image"><Label value="Object"/></RectangleLabels>
<KeyPointLabels name="click" toName="image"><Label value="Object"/><Label value="Thing"/>
<Label value="All like this" alike="Object"/></KeyPointLabels></View>"""

Row = dict[str, Any]


@dataclass(slots=True, kw_only=True, eq=False)
class FlowPage:
    """A page that is worked on with the check at its bottom, or with Auto-Accept.

    Attributes:
        annotator: Who asks.
        is_auto: Auto-Accept is on.
        n_actions: Clicks, drags, keys and checks so far.
        ms: From each request to its answer.
        masks: What was accepted, by id.
    """

    annotator: SimulatedAnnotator
    is_auto: bool
    n_actions: int = 0
    ms: list[float] = field(default_factory=list)
    masks: dict[str, Row] = field(default_factory=dict)
    _pending: list[Row] = field(default_factory=list)
    _points: list[Row] = field(default_factory=list)

    def key(self) -> None:
        """Press a label's key."""
        self.n_actions += 1

    def click(self, x: float, y: float, *, is_positive: bool = True, label: str = "Object") -> None:
        """Click at a place in percent, with Alt for "not object"; with Ctrl where a mask lies."""
        value = {"x": x, "y": y, "width": 0.25, "labels": [label], "keypointlabels": [label]}
        row = {"type": "keypointlabels", "from_name": "click", "is_positive": is_positive}
        self._place({**row, "value": value})

    def box(self, x: float, y: float, width: float, height: float) -> None:
        """Drag a box, all in percent."""
        sides = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
        value = {**sides, "rectanglelabels": ["Object"]}
        self._place({"type": "rectanglelabels", "from_name": "box", "value": value})

    def accept(self) -> None:
        """Press the check, where there is anything to accept."""
        self.n_actions += not self.is_auto
        self._take()

    def save(self) -> None:
        """Let the page save a draft, which takes no action."""
        stamp = f"2026-01-01T00:00:00.{time.monotonic_ns() % 10**9:09}Z"
        rows = list(self.masks.values())
        self.annotator.drafts = [{"id": 1, "annotation": None, "result": rows, "updated_at": stamp}]

    def clear(self) -> None:
        """Count from here."""
        self.n_actions, self.ms = 0, []

    def _place(self, prompt: Row) -> None:
        photo = self.annotator.photo
        assert photo is not None, "a task is open"
        self.n_actions += 1
        size = {"original_width": photo.width, "original_height": photo.height}
        name = f"p{time.monotonic_ns()}"
        self._points.append({**prompt, **size, "id": name, "to_name": "image"})
        ms, self._pending = self.annotator.ask_about(self._points)
        self.ms.append(ms)
        if self.is_auto:
            self._take()

    def _take(self) -> None:
        self.masks |= {row["id"]: row for row in self._pending}
        self._pending, self._points = [], []


Flow = Callable[[FlowPage, float, float], None]


def _one_click(page: FlowPage, x: float, y: float) -> None:
    page.click(x, y)
    page.accept()


def _two_clicks(page: FlowPage, x: float, y: float) -> None:
    page.click(x, y)
    if page.is_auto:
        page.save()  # where no Label Studio can be asked, a mask counts once it is saved
    page.click(x + 6, y + 4, is_positive=False)
    page.accept()


def _correction(page: FlowPage, x: float, y: float) -> None:
    _one_click(page, x, y)
    page.save()
    page.clear()
    page.click(x + 4, y + 3, is_positive=False)
    page.accept()


def _box(page: FlowPage, x: float, y: float) -> None:
    page.box(x - 15, y - 15, 30, 30)
    page.accept()


def _several_classes(page: FlowPage, x: float, y: float) -> None:
    page.key()
    page.click(x, y, label="Thing")
    page.accept()


def _each_alike(page: FlowPage, x: float, y: float) -> None:
    for left, top in tray_places():
        _one_click(page, left + (x - 50) * _JITTER, top + (y - 50) * _JITTER)


def _all_alike(page: FlowPage, x: float, y: float) -> None:
    page.key()
    left, top = tray_places()[7]
    page.click(left + (x - 50) * _JITTER, top + (y - 50) * _JITTER, label="All like this")
    page.accept()


_FLOWS: dict[str, Flow] = {
    "one click": _one_click,
    "two clicks": _two_clicks,
    "a correction": _correction,
    "a box": _box,
    "several classes": _several_classes,
}
_FLOWS_ALIKE: dict[str, Flow] = {
    "twenty, one by one": _each_alike,
    "twenty, all like this": _all_alike,
}


def measure_flows(url: str, photo: Photo, tray: Photo, *, n_objects: int) -> list[Row]:
    """Return an entry for each flow and mode: actions, median milliseconds, masks, failures.

    An answer without a mask is a failure.

    Args:
        url: The server's.
        photo: What objects are clicked on.
        tray: A picture of `tray_places`.
        n_objects: Objects of each flow on the photo; like ones are twenty each time.
    """
    tasks, random = iter(range(9000, 10_000)), np.random.default_rng(5)
    return [
        entry
        for flows, where, n_times in ((_FLOWS, photo, n_objects), (_FLOWS_ALIKE, tray, 1))
        for name, flow in flows.items()
        for entry in _measured(url, name, flow, where, tasks, random, n_times)
    ]


def _measured(
    url: str,
    name: str,
    flow: Flow,
    photo: Photo,
    tasks: Iterator[int],
    random: np.random.Generator,
    n_times: int,
) -> Iterator[Row]:
    for mode in MODES:
        config = _BRUSH.format('autoAccept="true"' if mode == "auto" else "")
        annotator = SimulatedAnnotator(url=url, label_config=config)
        entries = []
        for index, (x, y) in enumerate(random.uniform(35, 65, size=(n_times + 1, 2))):
            annotator.open(next(tasks), photo)
            if not index:
                time.sleep(_PREFETCH_S)
            page = FlowPage(annotator=annotator, is_auto=mode == "auto")
            flow(page, x, y)
            if index:  # the first one warms up
                entries.append(page)
        yield {
            "flow": name,
            "mode": mode,
            "actions": entries[0].n_actions,
            "median_ms": round(statistics.median(sum(page.ms) for page in entries), 1),
            "masks": len(entries[-1].masks),
            "n_failed": annotator.n_failed + annotator.n_empty,
        }
