"""Which annotation a click was made in, where more than one may be on the page.

A request does not tell. The draft does that the page saves of the click, five seconds after it,
whether the click is answered or not. So where the answer hangs on it, it waits for the draft.
"""

from __future__ import annotations

from dataclasses import replace

from backend.answering.turns import Place
from backend.label_studio.access import LabelStudioError
from backend.label_studio.drafts import SavedDrafts
from backend.label_studio.request import TaskRequest


def with_draft_of_click(task: TaskRequest, drafts: SavedDrafts, place: Place) -> TaskRequest:
    """Return a clicked task with the annotation that its points are in.

    Without a draft it is a new annotation, and a doubt, where the annotation is unsure; else the
    task stays as it is.

    Args:
        task: A clicked one.
        drafts: Asks for the draft.
        place: Of the request; it is looked at while waiting.

    Raises:
        SupersededError: Nobody waits for the answer any more.
    """
    assert task.region is not None, "it is clicked"
    assert task.with_drafts is not None, "it is clicked"
    try:
        saved = drafts.of_points(task.task_id, task.region.point_ids, place.check)
        reason = "the page has saved no draft of the click"
    except LabelStudioError as error:
        saved, reason = [], str(error)
    if not saved and not task.there.is_unsure:
        return task
    doubt = "" if saved else f"which annotation has the click ({reason})"
    return replace(task.with_drafts(saved), doubt=doubt)
