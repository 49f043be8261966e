"""Predictions for the tasks of a project: read ahead, made one by one, stored in batches.

What was cut goes on where it was, but for a batch. One bad task costs only itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Protocol

from backend.images.sources import ImageFiles
from backend.label_studio.access import LabelStudioError, LabelStudioRefusedError
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.label_config import LabelConfig
from backend.label_studio.task_values import page_at
from mfp_model.errors import DataError, ImageError, PromptError

_PAGE = 50
_READERS = 4
_TRIES = 4
_TAB = "Least sure first"
_LEAST_SURE_FIRST = "tasks:predictions_score"

Report = Callable[[], None]
_Task = Mapping[str, Any]  # as Label Studio's API has it
_Read = tuple[_Task, Future[bytes]]  # a task, and its image


class Counts(Protocol):
    """What a summary of any work on tasks has.

    Attributes:
        skipped: Tasks that were done before.
        problems: Tasks that could not be worked on, and why.
    """

    skipped: int
    problems: list[str]


class TaskWork(Protocol):
    """What is done with each task.

    Attributes:
        version: The model version of its predictions.
        summary: What it counts.
    """

    version: str

    @property
    def summary(self) -> Counts:
        """See above."""

    def wants(self, task: _Task) -> bool:
        """Return whether there is anything to do, before the image is read."""

    def entry(self, task: _Task, content: bytes) -> dict[str, Any] | None:
        """Return a task's prediction, None for none.

        Args:
            task: As Label Studio's API has it.
            content: The first image's file.

        Raises:
            ImageError: The file is no usable image.
            DataError: The task holds something that cannot be used.
            PromptError: Likewise.
        """


def store_predictions(
    work: TaskWork,
    api: LabelStudioApi,
    project: int,
    config: LabelConfig,
    sources: ImageFiles,
    *,
    batch: int,
    report: Report,
) -> None:
    """Store a prediction for each task that has none of this version.

    The project then shows this version's predictions, and has a tab in which the tasks with the
    lowest scores come first.

    Args:
        work: Makes the predictions.
        api: The Label Studio.
        project: The project's id.
        config: Its label configuration; a task's first image counts.
        sources: What reads images.
        batch: Tasks whose images are read ahead, and whose predictions are stored together.
        report: Called after every task.

    Raises:
        LabelStudioError: Label Studio cannot be reached, or does not accept the token.
    """
    value = next(iter(config.image_values.values()), "")
    api.add_tab(project, _TAB, ordering=_LEAST_SURE_FIRST)
    left = _without(api, project, work, report)
    with ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="read") as readers:

        def reading(task: _Task) -> _Read:
            address = page_at(value, task["data"], 0)[0]
            named = address if isinstance(address, str) else ""
            return task, readers.submit(sources.read, named, str(task["id"]))

        waiting = [reading(task) for task in islice(left, batch)]
        while waiting:
            coming = [reading(task) for task in islice(left, batch)]
            predictions = _made(work, waiting, report)
            stored: list[dict[str, Any]] = []
            try:
                stored += predictions
            finally:  # who stops it keeps what was made
                _store(api, project, stored, work.version, work.summary.problems)
            waiting = coming


def _made(work: TaskWork, waiting: list[_Read], report: Report) -> Iterator[dict[str, Any]]:
    """The predictions of a batch, each with its task."""
    for task, content in waiting:
        number = int(task["id"])
        try:
            entry = work.entry(task, content.result())
        except (ImageError, DataError, PromptError) as error:
            work.summary.problems.append(f"task {number}: {error}")
        else:
            if entry is not None:
                yield {"task": number, **entry}
        report()


def _store(
    api: LabelStudioApi,
    project: int,
    predictions: list[dict[str, Any]],
    version: str,
    problems: list[str],
) -> None:
    """Store what was found: together, else one by one, so that one task costs only itself."""
    if not predictions:
        return
    try:
        api.import_predictions(project, predictions)
    except LabelStudioRefusedError:
        left = predictions
    except LabelStudioError:  # some of it may have been stored, and Label Studio be back by now
        left = [entry for entry in predictions if not _is_stored(api, project, entry, version)]
    else:
        left = []
    n_refused = 0
    for entry in left:
        try:
            _store_one(api, project, entry, version)
        except LabelStudioRefusedError as error:
            n_refused += 1
            problems.append(f"task {entry['task']}: {error}")
    if n_refused < len(predictions):
        api.show_predictions(project, version)  # which must exist by then


def _store_one(api: LabelStudioApi, project: int, entry: dict[str, Any], version: str) -> None:
    """Store a prediction once, where Label Studio may be away and have stored it nevertheless."""
    for n_left in reversed(range(_TRIES)):
        try:
            api.import_predictions(project, [entry])
        except LabelStudioRefusedError:
            raise
        except LabelStudioError:
            if _is_stored(api, project, entry, version):  # which waits until it is back
                return
            if not n_left:
                raise
        else:
            return


def _is_stored(api: LabelStudioApi, project: int, entry: dict[str, Any], version: str) -> bool:
    tasks = api.tasks_after(project, entry["task"] - 1, limit=1)
    return any(
        stored.get("model_version") == version
        for task in tasks
        if task["id"] == entry["task"]
        for stored in task["predictions"]
    )


def _without(api: LabelStudioApi, project: int, work: TaskWork, report: Report) -> Iterator[_Task]:
    """The tasks that have no prediction of the version, and something to do."""
    last = -1
    while page := api.tasks_after(project, last, limit=_PAGE):
        last = int(page[-1]["id"])
        for task in page:
            if any(entry.get("model_version") == work.version for entry in task["predictions"]):
                work.summary.skipped += 1
                report()
            elif not work.wants(task):
                report()
            else:
                yield task
