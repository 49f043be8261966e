"""A project's settings that decide what its annotators see, asked of Label Studio now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.background import BackgroundThreads
from backend.label_studio.access import LabelStudioAccess, LabelStudioError
from backend.label_studio.asking import ask

_FRESH_S = 60.0
_MAX_AGE_S = 600.0  # where Label Studio cannot be asked again
_MAX_WAIT_S = 1.0  # of a click, at a project's first
_MAX_PROJECTS = 1000
_MAX_ASKING = 100  # of which Label Studio is asked at a time; a further one is not known meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRules:
    """What a project shows its annotators.

    Attributes:
        n_annotators: How many people annotate a task, None where that is not known.
        shows_predictions: Whether annotations start from predictions, None where not known.
        model_version: The model version whose predictions it shows, empty for any.
        doubt: Why something is not known; empty where all is.
    """

    n_annotators: int | None = None
    shows_predictions: bool | None = None
    model_version: str = ""
    doubt: str = ""


UNKNOWN_RULES = ProjectRules(doubt="LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY are not both set")


_Change = tuple[int, int]  # how many were told here, and when the last was told anywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    rules: ProjectRules
    at: float
    change: _Change


class ProjectSettings:
    """Asks Label Studio for the rules of projects, and keeps them for a minute.

    A click waits for at most a second, and only at a project's first or after a change. Later ones
    get what was answered last, for at most ten minutes, while Label Studio is asked again beside
    them.
    """

    def __init__(
        self,
        access: LabelStudioAccess,
        *,
        changes: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        max_wait_s: float = _MAX_WAIT_S,
    ) -> None:
        """Ask nothing yet.

        Args:
            access: Label Studio, and its token.
            changes: The file that is touched at a change, for all workers; None for one process.
            clock: Seconds, rising.
            max_wait_s: How long a click waits for Label Studio.
        """
        self._access = access
        self._changes = changes
        self._n_changes = 0
        self._clock = clock
        self._max_wait_s = max_wait_s
        self._lock = threading.Lock()
        self._answers: dict[str, _Answer] = {}
        self._asking: dict[str, Future[None]] = {}
        self._asker = BackgroundThreads(2, name="project-settings")

    def of(self, project: str) -> ProjectRules:
        """Return the rules of a project; what is not known is None in them.

        Args:
            project: Label Studio's project id.
        """
        answer, asking = self._kept(project)
        if asking is not None and (answer is None or answer.change != self._change()):
            wait([asking], self._max_wait_s)
            answer, _ = self._kept(project)
        if answer is None:
            return ProjectRules(doubt="Label Studio has not answered yet")
        return answer.rules

    def changed(self) -> None:
        """Ask for all projects again, in every worker: the settings of one were changed."""
        self._n_changes += 1
        if self._changes is not None:
            self._changes.touch()

    def prepare(self, project: str) -> None:
        """Ask for a project whose task is opened, so that no click waits for it."""
        self._kept(project)

    def _kept(self, project: str) -> tuple[_Answer | None, Future[None] | None]:
        """What was answered, and what is being asked."""
        change = self._change()
        if not self._access.url or not self._access.has_key or not project.isdecimal():
            return _Answer(rules=UNKNOWN_RULES, at=0, change=change), None
        with self._lock:
            answer = self._answers.get(project)
            age = self._clock() - answer.at if answer else _MAX_AGE_S
            is_fresh = answer is not None and answer.change == change and age < _FRESH_S
            has_room = project not in self._asking and len(self._asking) < _MAX_ASKING
            if not is_fresh and has_room:
                self._asking[project] = self._asker.submit(self._ask, project)
            return answer if age < _MAX_AGE_S else None, self._asking.get(project)

    def _ask(self, project: str) -> None:
        try:
            self._renew(project)
        finally:
            with self._lock:
                del self._asking[project]

    def _renew(self, project: str) -> None:
        change = self._change()
        try:
            rules = _rules(self._project(project))
        except LabelStudioError as error:
            rules = ProjectRules(doubt=str(error))
        with self._lock:
            before = self._answers.get(project)
            now = self._clock()
            if rules.doubt and before and not before.rules.doubt and now - before.at < _MAX_AGE_S:
                self._answers[project] = replace(before, change=change)  # it still holds
                return
            if len(self._answers) >= _MAX_PROJECTS:
                self._answers.clear()
            self._answers[project] = _Answer(rules=rules, at=now, change=change)

    def _change(self) -> _Change:
        """Which change was the last, here and in other workers."""
        try:
            return self._n_changes, self._changes.stat().st_mtime_ns if self._changes else 0
        except FileNotFoundError:
            return self._n_changes, 0

    def _project(self, project: str) -> dict[str, Any]:
        body = ask(self._access, f"/api/projects/{project}/", f"project {project}")
        if not isinstance(body, dict):
            raise LabelStudioError(f"Label Studio's project {project}: expected an object")
        return body


def _rules(project: dict[str, Any]) -> ProjectRules:
    n_annotators, shows = project.get("maximum_annotations"), project.get("show_collab_predictions")
    rules = ProjectRules(
        n_annotators=n_annotators if isinstance(n_annotators, int) else None,
        shows_predictions=shows if isinstance(shows, bool) else None,
        model_version=str(project.get("model_version") or ""),
    )
    is_whole = rules.n_annotators is not None and rules.shows_predictions is not None
    return rules if is_whole else replace(rules, doubt="Label Studio does not tell")
