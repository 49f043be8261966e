"""The draft that the page saves of a click, which tells the annotation that it was made in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from backend.label_studio.access import LabelStudioAccess, LabelStudioError
from backend.label_studio.asking import ask
from backend.label_studio.page import storable

_LIMIT_S = 6.0  # the page saves five seconds after a click, whether it is answered or not
_EVERY_S = 0.25


class SavedDrafts:
    """Asks Label Studio for it."""

    def __init__(
        self, access: LabelStudioAccess, *, limit_s: float = _LIMIT_S, every_s: float = _EVERY_S
    ) -> None:
        """Make one that waits for at most `limit_s` and asks all `every_s`, both in seconds."""
        self._access = access
        self._limit_s = limit_s
        self._every_s = every_s

    def of_points(
        self,
        task_id: str,
        point_ids: frozenset[str],
        check: Callable[[], None] = lambda: None,
    ) -> list[Mapping[str, Any]]:
        """Wait for a draft of a task that has one of these points, and return it.

        Args:
            task_id: Label Studio's task id.
            point_ids: Ids of a click's points.
            check: Called before each question; what it raises ends the waiting.

        Returns:
            Nothing where none was saved in time.

        Raises:
            LabelStudioError: Label Studio cannot be asked.
        """
        until = time.monotonic() + self._limit_s
        while True:
            check()
            drafts = [draft for draft in self._drafts(task_id) if _has_any(draft, point_ids)]
            if drafts or time.monotonic() + self._every_s > until:
                return drafts
            time.sleep(self._every_s)

    def _drafts(self, task_id: str) -> list[Mapping[str, Any]]:
        if not task_id.isdecimal():
            raise LabelStudioError(f"task {task_id[:20]!r}: expected a number")
        path = f"/api/tasks/{task_id}/drafts"
        body = ask(self._access, path, f"the drafts of task {task_id}")
        return (
            [draft for draft in body if isinstance(draft, dict)] if isinstance(body, list) else []
        )


def _has_any(draft: Mapping[str, Any], point_ids: frozenset[str]) -> bool:
    rows = draft.get("result")
    return isinstance(rows, list) and any(
        isinstance(row, dict) and storable(row.get("id")) in point_ids for row in rows
    )
