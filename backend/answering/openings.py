"""Tasks that are opened: images are read ahead, and objects found where there is a finder.

One task is looked through at a time, so that clicks keep the processor. Requests that wait for that
take places among those of clicks, half of them at most. A worker has more threads than places. So
however many tasks are opened at a time, other requests are answered, and clicks have places left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from backend.answering.edits import Edits
from backend.answering.prefetch import Prefetcher
from backend.answering.turns import BusyError, ClickedObject, Place, SupersededError, Turns
from backend.finding.answer import TaskFinder
from backend.label_studio.points import RequestError
from backend.label_studio.request import TaskRequest
from backend.label_studio.rows import empty_result
from backend.monitoring.telemetry import Telemetry
from mfp_model.errors import MfpError

_NOTHING_CLICKED = ClickedObject(task="", point_ids=frozenset())


class Openings:
    """Answers requests that open tasks."""

    def __init__(
        self,
        finding: TaskFinder,
        prefetcher: Prefetcher,
        edits: Edits,
        turns: Turns,
        telemetry: Telemetry,
    ) -> None:
        """Answer them.

        Args:
            finding: Finds the objects of a task.
            prefetcher: Reads the images of tasks ahead.
            edits: Told which task is on a page anew.
            turns: The line of clicks.
            telemetry: Told of errors, and of tasks that nobody waits for any more.
        """
        self._finding = finding
        self._prefetcher = prefetcher
        self._edits = edits
        self._turns = turns
        self._telemetry = telemetry
        self._line = Turns(max_places=max(1, turns.max_places // 2))

    def results(
        self, tasks: list[TaskRequest], has_left: Callable[[], bool]
    ) -> list[dict[str, Any]]:
        """Return the entries of `results` for a request's tasks, one for each with a finder.

        Args:
            tasks: The tasks; what is wrong with one leaves the others alone.
            has_left: Whether nobody waits for the answer any more.

        Raises:
            BusyError: Too many requests are in work.
        """
        if len(tasks) == 1:
            self._edits.opened(tasks[0])
        finds = any(_has_finder(task) for task in tasks)
        with self._place(has_left) if finds else nullcontext() as place:
            return [entry for task in tasks for entry in self._entries(task, place)]

    @contextmanager
    def _place(self, has_left: Callable[[], bool]) -> Iterator[Place]:
        """A place among those that open tasks, and then one among all."""
        with (
            self._line.place(_NOTHING_CLICKED, has_left) as place,
            self._turns.place(_NOTHING_CLICKED),
        ):
            yield place

    def _entries(self, task: TaskRequest, place: Place | None) -> list[dict[str, Any]]:
        try:
            if task.problem:
                raise RequestError(task.problem)
            if place is None or task.control is None or not task.control.finder:
                self._prefetcher.prefetch(task)
                return []
            with self._line.turn(place):
                return [self._finding.answer(task, task.control)]
        except BusyError:
            raise
        except SupersededError as error:
            self._telemetry.superseded(task.task_id, str(error))
        except MfpError as error:
            self._telemetry.failed(error, during=f"task {task.task_id:.20}")
        return [empty_result()] if _has_finder(task) else []


def _has_finder(task: TaskRequest) -> bool:
    return task.control is not None and bool(task.control.finder)
