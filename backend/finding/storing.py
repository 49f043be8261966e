"""Predictions for the tasks of a project: read ahead, made one by one, stored in batches.

What was cut goes on where it was, but for a batch. One bad task costs only itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import fields
from itertools import islice
from typing import Any

from backend.background import BackgroundThreads
from backend.finding.each import Each
from backend.finding.task_work import BAD_TASK, Counts, Outcome, Summary, Task, TaskImage, Wanted
from backend.images.sources import ImageFiles
from backend.label_studio.access import LabelStudioError, LabelStudioRefusedError
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.label_config import LabelConfig
from backend.label_studio.task_values import page_at
from mfp_model.errors import MfpError

_PAGE = 50
_READERS = 4
_TRIES = 4
_TAB = "Least sure first"
_LEAST_SURE_FIRST = "tasks:predictions_score"

Report = Callable[[], object]
Entry = dict[str, Any]  # a prediction, with its task


def store_predictions(
    wanted: Wanted[Summary],
    each: Each[TaskImage, Outcome],
    api: LabelStudioApi,
    project: int,
    config: LabelConfig,
    sources: ImageFiles,
    *,
    batch: int,
    report: Report,
) -> Summary:
    """Store a prediction for each task that has none of this version.

    The project then shows this version's predictions, and has a tab in which the tasks with the
    lowest scores come first.

    Args:
        wanted: Which tasks are worked on.
        each: Makes the predictions, see `outcome_of`.
        api: The Label Studio.
        project: The project's id.
        config: Its label configuration; a task's first image counts.
        sources: What reads images.
        batch: Tasks whose images are read ahead, and whose predictions are stored together.
        report: Called after every task.

    Returns:
        What was done.

    Raises:
        LabelStudioError: Label Studio cannot be reached, or does not accept the token.
    """
    value = next(iter(config.image_values.values()), "")
    summary = wanted.new_summary()
    api.add_tab(project, _TAB, ordering=_LEAST_SURE_FIRST)
    predictions = _Predictions(api, project, wanted.version)
    left = predictions.missing(wanted, summary, report)
    readers = BackgroundThreads(_READERS, name="read")

    def read(task: Task) -> Future[bytes]:
        address = page_at(value, task["data"], 0)[0]
        named = address if isinstance(address, str) else ""
        return readers.submit(sources.read, named, str(task["id"]))

    outcomes = each(_read_ahead(left, read, n_ahead=batch))
    n_tasks = batch
    while n_tasks == batch:
        n_tasks = predictions.store_made(islice(outcomes, batch), summary, report)
    return summary


def _read_ahead(
    tasks: Iterator[Task], read: Callable[[Task], Future[bytes]], *, n_ahead: int
) -> Iterator[TaskImage]:
    """Tasks with their images, of which the next ones are being read."""
    reading = deque((task, read(task)) for task in islice(tasks, n_ahead))
    while reading:
        task, content = reading.popleft()
        reading.extend((coming, read(coming)) for coming in islice(tasks, 1))
        yield TaskImage(task=task, content=_content(content))


def _content(reading: Future[bytes]) -> bytes | MfpError:
    """The image's file, or why it cannot be read."""
    try:
        return reading.result()
    except BAD_TASK as error:
        return error


def _add(summary: Counts, more: Counts) -> None:
    for field in fields(summary):
        setattr(summary, field.name, getattr(summary, field.name) + getattr(more, field.name))


class _Predictions:
    """A project's predictions of one model version."""

    def __init__(self, api: LabelStudioApi, project: int, version: str) -> None:
        self._api = api
        self._project = project
        self._version = version
        self._is_shown = False

    def missing(self, wanted: Wanted[Summary], summary: Summary, report: Report) -> Iterator[Task]:
        """Yield the tasks that have none, and something to do."""
        last = -1
        while page := self._api.tasks_after(self._project, last, limit=_PAGE):
            last = int(page[-1]["id"])
            for task in page:
                if self._has(task):
                    summary.skipped += 1
                    report()
                elif not wanted.wants(task, summary):
                    report()
                else:
                    yield task

    def store_made(
        self, outcomes: Iterator[tuple[TaskImage, Outcome]], summary: Counts, report: Report
    ) -> int:
        """Store what some tasks came to, and return how many they were."""
        made: list[Entry] = []
        n_tasks = 0
        try:
            for asked, outcome in outcomes:
                n_tasks += 1
                _add(summary, outcome.summary)
                if outcome.entry is not None:
                    made.append({"task": int(asked.task["id"]), **outcome.entry})
                report()
        finally:  # who stops it keeps what was made
            self._store(made, summary.problems)
        return n_tasks

    def _store(self, entries: list[Entry], problems: list[str]) -> None:
        """Store some one by one, so that one task costs only itself.

        Where it stores several at a time, Label Studio counts all tasks of the project anew.
        """
        n_refused = 0
        for entry in entries:
            try:
                self._store_one(entry)
            except LabelStudioRefusedError as error:
                n_refused += 1
                problems.append(f"task {entry['task']}: {error}")
        if n_refused < len(entries) and not self._is_shown:
            self._api.show_predictions(self._project, self._version)  # which must exist by then
            self._is_shown = True

    def _store_one(self, entry: Entry) -> None:
        """Store one once, where Label Studio may be away and have stored it nevertheless."""
        for n_left in reversed(range(_TRIES)):
            try:
                self._api.add_prediction(entry)
            except LabelStudioRefusedError:
                raise
            except LabelStudioError:
                if self._is_stored(entry):  # which waits until it is back
                    return
                if not n_left:
                    raise
            else:
                return

    def _is_stored(self, entry: Entry) -> bool:
        tasks = self._api.tasks_after(self._project, entry["task"] - 1, limit=1)
        return any(self._has(task) for task in tasks if task["id"] == entry["task"])

    def _has(self, task: Task) -> bool:
        return any(x.get("model_version") == self._version for x in task["predictions"])
