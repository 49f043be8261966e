"""A simulated annotator: clicks on photos and waits for masks, as Label Studio's page does."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import requests

from backend.bench.server import Photo

_TIMEOUT_S = 100
_LABEL_CONFIG = """<View><Image name="image" value="$image"/>
<BrushLabels name="mask" toName="image"><Label value="Object"/></BrushLabels>
<KeyPoint name="click" toName="image"/></View>"""


@dataclass(slots=True, kw_only=True, eq=False)
class SimulatedAnnotator:
    """One annotator.

    Attributes:
        url: The server's.
        task: Id of the task whose photo is being clicked on.
        photo: The photo.
        points: Clicks of the object: id, x and y in percent, sign.
        n_empty: Answers without a mask.
        n_failed: Answers that were none, or of another status than 200.
        label_config: The project's.
        drafts: What the page has saved of the task.
    """

    url: str
    task: int = 0
    photo: Photo | None = None
    points: list[tuple[str, float, float, bool]] = field(default_factory=list)
    n_empty: int = 0
    n_failed: int = 0
    label_config: str = _LABEL_CONFIG
    drafts: list[dict[str, object]] = field(default_factory=list)

    def open(self, task: int, photo: Photo) -> None:
        """Open a task, without clicks so far."""
        self.task, self.photo, self.points, self.drafts = task, photo, [], []
        self._post(context=None)

    def click(self, x: float, y: float, *, is_positive: bool = True) -> float | None:
        """Click at a place in percent; return the milliseconds to its mask, None without one."""
        ms, rows = self.answer_to_click(x, y, is_positive=is_positive)
        return ms if rows else None

    def answer_to_click(
        self, x: float, y: float, *, is_positive: bool = True
    ) -> tuple[float, list[dict[str, object]]]:
        """Click at a place in percent; return milliseconds and the answer's rows."""
        self.points.append((f"{self.task}-{time.monotonic_ns()}", x, y, is_positive))
        return self._ask_about_points()

    def ask(self) -> float | None:
        """Ask for the mask of the points as they are; return as `click` does."""
        ms, rows = self._ask_about_points()
        return ms if rows else None

    def _ask_about_points(self) -> tuple[float, list[dict[str, object]]]:
        return self.ask_about([self._keypoint(*point) for point in self.points])

    def ask_about(self, prompts: list[dict[str, object]]) -> tuple[float, list[dict[str, object]]]:
        """Ask for the mask of points and boxes; return milliseconds and the answer's rows."""
        started = time.perf_counter()
        answer = self._post(context={"result": prompts})
        ms = 1000 * (time.perf_counter() - started)
        rows = answer[0]["result"] if answer else []
        self.n_failed += answer is None
        self.n_empty += answer is not None and not rows
        return ms, rows if isinstance(rows, list) else []

    def undo(self) -> None:
        """Take the last click back, which Label Studio tells with the next one only."""
        self.points = self.points[:-1]

    def move(self, x: float, y: float) -> None:
        """Drag the last point to another place."""
        name, _, _, is_positive = self.points[-1]
        self.points = [*self.points[:-1], (name, x, y, is_positive)]

    def _keypoint(self, name: str, x: float, y: float, is_positive: bool) -> dict[str, object]:
        assert self.photo is not None, "a task is open"
        return {
            "id": name,
            "type": "keypoint",
            "to_name": "image",
            "is_positive": is_positive,
            "original_width": self.photo.width,
            "original_height": self.photo.height,
            "value": {"x": x, "y": y},
        }

    def body(self, context: object) -> dict[str, object]:
        """Return what Label Studio's page sends, given what it has of the object."""
        assert self.photo is not None, "a task is open"
        image = f"/data/local-files/?d={self.photo.name}"
        return {
            "tasks": [{"id": self.task, "data": {"image": image}, "drafts": self.drafts}],
            "project": "1.0",
            "label_config": self.label_config,
            "params": {"context": context},
        }

    def _post(self, *, context: object) -> list[dict[str, object]] | None:
        body = self.body(context)
        try:
            answer = requests.post(f"{self.url}/predict", json=body, timeout=_TIMEOUT_S)
            return list(answer.json()["results"]) if answer.status_code == 200 else None
        except (requests.RequestException, ValueError, KeyError):
            return None
