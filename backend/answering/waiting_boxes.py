"""Boxes that wait for their check: a click in one, or just beside it, corrects its mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backend.answering.answered import WAITING_S
from backend.answering.answered_object import AnsweredObject
from backend.answering.on_page import PageObject, has_labels
from backend.answering.standing import is_continued, is_newer, is_ours, is_saved
from backend.label_studio.region_request import RegionRequest
from backend.label_studio.request import TaskRequest
from mfp_model.masks.bounds import rectangle_iou
from mfp_model.prompts import Box

_BOXED_IOU = 0.6  # of a box with that around a mask: so alike they mean one object
_AROUND = 0.1  # of a box's sides: so near to it a click is about the box's object


def clicked_box(
    answered: Sequence[AnsweredObject], task: TaskRequest, region: RegionRequest, now: float
) -> AnsweredObject | None:
    """Return the box on the clicked page that a first click is about, None for no box.

    Args:
        answered: What was answered for the task, oldest first.
        task: The task.
        region: The click.
        now: Seconds since 1970.
    """
    boxes = (
        answered_object
        for answered_object in reversed(answered)
        if _waits(answered_object, task, now)
    )
    newest = next((box for box in boxes if is_ours(box, task, region)), None)
    return newest if newest is not None and _is_about(region, newest) else None


def without_undone(
    answered: AnsweredObject, task: TaskRequest, region: RegionRequest
) -> AnsweredObject:
    """Return an answer without the clicks in its box that were undone.

    A draft that was saved since then has the box, which still waits, and has not them.
    """
    boxes = {placed.id for placed in answered.placed if isinstance(placed.prompt, Box)}
    waits = task.there.has_any(frozenset(boxes & answered.open_ids))
    if not waits or not is_newer(task, answered):
        return answered
    gone = {
        name
        for name in answered.open_ids - region.point_ids
        if not task.there.has_any(frozenset({name}))
    }
    return replace(answered, placed=tuple(p for p in answered.placed if p.id not in gone))


def may_be_in_box(
    answered: Sequence[AnsweredObject], task: TaskRequest, region: RegionRequest, now: float
) -> bool:
    """Return whether a first click is about a box that may be on the clicked page or another's."""
    if any(is_continued(answered_object, region) for answered_object in answered):
        return False
    others = (
        answered_object
        for answered_object in answered
        if not is_ours(answered_object, task, region)
    )
    return any(_waits(other, task, now) and _is_about(region, other) for other in others)


def _waits(answered: AnsweredObject, task: TaskRequest, now: float) -> bool:
    """Whether an object is a box's that may wait for its check, on whoever's page."""
    may_be_there = not answered.is_left or task.there.has_any(answered.asked_ids)
    return (
        answered.is_new
        and may_be_there
        and any(isinstance(placed.prompt, Box) for placed in answered.placed)
        and not task.there.has_any(frozenset(answered.regions))
        and not is_saved(answered, task)
        and now - answered.at < WAITING_S
    )


def _is_about(region: RegionRequest, answered: AnsweredObject) -> bool:
    """Whether a first click lies in a box, or just beside it.

    With another label the page begins another object. With Alt nothing begins.
    """
    click = region.placed[0].prompt
    if isinstance(click, Box) or region.control.auto_accept:
        return False
    if click.is_positive and not has_labels(answered.labels, region):
        return False
    box = next(placed.prompt for placed in answered.placed if isinstance(placed.prompt, Box))
    across, down = (box.right - box.left) * _AROUND, (box.bottom - box.top) * _AROUND
    return (
        box.left - across <= click.x <= box.right + across
        and box.top - down <= click.y <= box.bottom + down
    )


def boxed_object(objects: list[PageObject], box: Box, region: RegionRequest) -> PageObject | None:
    """Return the object that a box means anew: one around which it lies, and that may be undone.

    As with a click the page decides: what the box gives takes its place, or is new.
    """
    ious = [
        (rectangle_iou(around, box), page_object)
        for page_object in objects
        if not page_object.is_saved and has_labels(page_object.labels, region)
        if (around := page_object.runs.bounds())
    ]
    iou, best = max(ious, key=lambda entry: entry[0], default=(0.0, None))
    return best if iou >= _BOXED_IOU else None
