"""Predictions that are stored in a project: each once, whatever is cut, away or refused."""

from __future__ import annotations

import io
import time
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from backend.finding.each import here
from backend.finding.project import AnnotateSummary, EveryTask, ObjectFinder, ProjectObjects
from backend.finding.storing import store_predictions
from backend.finding.task_work import outcome_of
from backend.label_studio.access import LabelStudioError, LabelStudioRefusedError
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.label_config import parse_label_config
from mfp_model.errors import ImageError
from tests.unit.backend.finding.two_layers import CONFIG, two_layers


class Project:
    """A project in memory; it breaks off when so many predictions are stored."""

    def __init__(self, tasks: list[dict[str, Any]], *, breaks_at: int = 1000) -> None:
        self._rows = tasks
        self._breaks_at = breaks_at
        self.stored: list[dict[str, Any]] = []
        self.told: list[str] = []

    def tasks_after(self, project: int, task: int, *, limit: int) -> list[dict[str, Any]]:
        return [row for row in self._rows if int(row["id"]) > task][:limit]

    def add_prediction(self, prediction: dict[str, Any]) -> None:
        if len(self.stored) >= self._breaks_at:
            raise LabelStudioError("gone")
        self.stored.append(prediction)
        row = next(row for row in self._rows if row["id"] == prediction["task"])
        row["predictions"].append(prediction)

    def show_predictions(self, project: int, version: str) -> None:
        self.told.append(version)

    def add_tab(self, project: int, title: str, *, ordering: str) -> None:
        self.told.append(ordering)


class _Sources:
    def mounted(self, address: str) -> Path | None:
        return None

    def read(self, address: str, task_id: str) -> bytes:
        if address == "slow":
            time.sleep(30)
        if address == "bad":
            raise ImageError("bad: cannot be read")
        buffer = io.BytesIO()
        Image.new("RGB", (12, 9)).save(buffer, "PNG")
        return buffer.getvalue()


def _annotated(api: Project, ticks: list[int], batch: int = 2) -> AnnotateSummary:
    config = parse_label_config(CONFIG.format(kind="BrushLabels", finder="mfp"))
    finder = ObjectFinder(find=two_layers, version="v-1", max_megapixels=1)
    objects = ProjectObjects(finder, config, polygon_error_px=1)
    return store_predictions(
        EveryTask(version="v-1"),
        here(partial(outcome_of, objects, AnnotateSummary)),
        cast("LabelStudioApi", api),
        1,
        config,
        _Sources(),
        batch=batch,
        report=lambda: ticks.append(1),
    )


def test_a_projects_tasks_get_predictions_once() -> None:
    ticks: list[int] = []
    api = Project(
        [
            {"id": 3, "data": {"image": "good"}, "predictions": []},
            {"id": 5, "data": {"image": "good"}, "predictions": [{"model_version": "v-1"}]},
            {"id": 8, "data": {"image": "bad"}, "predictions": [{"model_version": "old"}]},
        ]
    )
    summary = _annotated(api, ticks)
    (prediction,) = api.stored
    assert prediction["task"] == 3
    assert len(prediction["result"]) == 2
    assert (summary.images, summary.skipped, len(ticks)) == (1, 1, 3)
    assert summary.problems == ["task 8: bad: cannot be read"]
    assert api.told == ["tasks:predictions_score", "v-1"]


def test_the_version_is_shown_once_and_not_with_each_batch() -> None:
    rows = [{"id": n, "data": {"image": "good"}, "predictions": []} for n in range(1, 8)]
    api = Project(rows)
    _annotated(api, [], batch=2)
    assert api.told == ["tasks:predictions_score", "v-1"]


def test_a_run_that_breaks_off_does_not_wait_for_an_image_that_is_read_ahead() -> None:
    images = {1: "good", 2: "slow"}
    rows = [{"id": n, "data": {"image": images[n]}, "predictions": []} for n in images]
    began = time.monotonic()
    with pytest.raises(LabelStudioError):
        _annotated(Project(rows, breaks_at=0), [], batch=1)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("batch", [1, 3, 50])
def test_an_annotation_run_that_was_cut_goes_on(batch: int) -> None:
    rows = [{"id": n, "data": {"image": "good"}, "predictions": []} for n in range(1, 8)]
    ticks: list[int] = []
    with pytest.raises(LabelStudioError):
        _annotated(Project(rows, breaks_at=4), ticks, batch)
    api = Project(rows)
    summary = _annotated(api, ticks, batch)
    assert summary.images + summary.skipped == 7
    assert [len(row["predictions"]) for row in rows] == [1] * 7


class _Fickle(Project):
    """Refuses a task that is gone, and is away once after it has stored something."""

    def __init__(
        self, tasks: list[dict[str, Any]], *, gone: int = -1, is_away: bool = False
    ) -> None:
        super().__init__(tasks)
        self._gone = gone
        self._is_away = is_away

    def add_prediction(self, prediction: dict[str, Any]) -> None:
        if prediction["task"] == self._gone:
            raise LabelStudioRefusedError(f"no task {self._gone}")
        super().add_prediction(prediction)
        if self._is_away:
            self._is_away = False
            raise LabelStudioError("answered 502")


def test_a_task_that_is_deleted_meanwhile_costs_its_own_prediction_only() -> None:
    rows = [{"id": n, "data": {"image": "good"}, "predictions": []} for n in range(1, 6)]
    api = _Fickle(rows, gone=2)
    summary = _annotated(api, [], batch=3)
    assert [prediction["task"] for prediction in api.stored] == [1, 3, 4, 5]
    assert summary.problems == ["task 2: no task 2"]


def test_a_label_studio_that_is_away_again_and_again_gets_each_prediction_once() -> None:
    rows = [{"id": n, "data": {"image": "good"}, "predictions": []} for n in range(1, 6)]

    class Restless(_Fickle):
        n_asked = 0

        def add_prediction(self, prediction: dict[str, Any]) -> None:
            self.n_asked += 1
            if self.n_asked % 2:
                raise LabelStudioError("answered 502")
            super().add_prediction(prediction)
            if self.n_asked % 4 == 0:
                raise LabelStudioError("answered 502")

    summary = _annotated(Restless(rows, gone=2), [], batch=3)
    assert [len(row["predictions"]) for row in rows] == [1, 0, 1, 1, 1]  # type: ignore[arg-type]
    assert summary.problems == ["task 2: no task 2"]


def test_what_was_stored_before_label_studio_went_away_is_not_stored_twice() -> None:
    rows = [{"id": n, "data": {"image": "good"}, "predictions": []} for n in range(1, 6)]
    api = _Fickle(rows, is_away=True)
    summary = _annotated(api, [], batch=3)
    assert [len(row["predictions"]) for row in rows] == [1] * 5  # type: ignore[arg-type]
    assert summary.problems == []
