"""What is done with each task of a project, and what comes of one.

Tasks and outcomes can be sent: a task may be worked on by another process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from mfp_model.errors import DataError, ImageError, MfpError, PromptError

Task = Mapping[str, Any]  # as Label Studio's API has it
BAD_TASK = (ImageError, DataError, PromptError)  # costs only itself


class Counts(Protocol):
    """What a summary of any work on tasks has.

    It is a dataclass of numbers and lists.

    Attributes:
        skipped: Tasks that were done before.
        problems: Tasks that could not be worked on, and why.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    skipped: int
    problems: list[str]


Summary = TypeVar("Summary", bound=Counts)
Counted = TypeVar("Counted", bound=Counts, contravariant=True)


class Wanted(Protocol[Summary]):
    """Which tasks there is anything to do for."""

    @property
    def version(self) -> str:
        """The model version of the predictions."""

    def new_summary(self) -> Summary:
        """Return a summary of nothing."""

    def wants(self, task: Task, summary: Summary) -> bool:
        """Return whether there is anything to do, before the image is read."""


class TaskWork(Protocol[Counted]):
    """What is done with each task."""

    def entry(self, task: Task, content: bytes, summary: Counted) -> dict[str, Any] | None:
        """Return a task's prediction, None for none.

        Args:
            task: As Label Studio's API has it.
            content: The first image's file.
            summary: Counts what is done.

        Raises:
            ImageError: The file is no usable image.
            DataError: The task holds something that cannot be used.
            PromptError: Likewise.
        """


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskImage:
    """A task to work on.

    Attributes:
        task: As Label Studio's API has it.
        content: The first image's file, or why it cannot be read.
    """

    task: Task
    content: bytes | MfpError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What came of a task.

    Attributes:
        entry: Its prediction, None for none.
        summary: What was done for it alone.
    """

    entry: dict[str, Any] | None
    summary: Counts


def outcome_of(
    work: TaskWork[Summary], new_summary: Callable[[], Summary], asked: TaskImage
) -> Outcome:
    """Return what comes of a task; what cannot be used is a problem in its new summary."""
    summary, entry = new_summary(), None
    try:
        if isinstance(asked.content, MfpError):
            raise asked.content
        entry = work.entry(asked.task, asked.content, summary)
    except BAD_TASK as error:
        summary.problems.append(f"task {asked.task['id']}: {error}")
    return Outcome(entry=entry, summary=summary)


def lost_task(new_summary: Callable[[], Counts], asked: TaskImage, why: str) -> Outcome:
    """Return the outcome of a task that nobody could work on."""
    summary = new_summary()
    summary.problems.append(f"task {asked.task['id']}: {why}")
    return Outcome(entry=None, summary=summary)
