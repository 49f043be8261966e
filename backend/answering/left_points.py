"""Points that the page sends though their object was accepted.

The check inside the image leaves them on the page, and they come along with the next object's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from backend.answering.answered_object import AnsweredObject
from backend.answering.existing import ExistingMask
from backend.answering.standing import is_begun, is_continued, is_same
from backend.label_studio.page import storable
from backend.label_studio.region_request import RegionRequest
from backend.label_studio.request import TaskRequest


def without_left_points(
    region: RegionRequest,
    answered: Iterable[AnsweredObject],
    task: TaskRequest,
    read_masks: Callable[[], list[ExistingMask]],
) -> RegionRequest:
    """Return the request without them, and as it is where it has no others.

    Args:
        region: What the page sends.
        answered: What was answered for the task.
        task: The task.
        read_masks: Returns the masks of its annotation.
    """
    begun = [
        answered_object
        for answered_object in answered
        if is_begun(answered_object) and is_continued(answered_object, region)
        if task.there.has_any(frozenset(answered_object.regions))
        if all(
            task.there.has_any(frozenset({name})) for name in _of_others(answered_object, region)
        )
    ]
    masks = read_masks() if begun else []
    left = {name for made in begun if _is_accepted(made, region, masks) for name in made.point_ids}
    living = tuple(placed for placed in region.placed if placed.id not in left)
    return replace(region, placed=living) if living else region


def _is_accepted(
    answered: AnsweredObject, region: RegionRequest, masks: Iterable[ExistingMask]
) -> bool:
    """Whether the annotation has an object as it was answered.

    Else it has what lies below an answer that waits for its check.
    """
    parts = [mask.runs for mask in masks if storable(mask.id) in answered.regions]
    return bool(parts) and is_same(parts[0].union(*parts[1:]), answered, region)


def _of_others(answered: AnsweredObject, region: RegionRequest) -> set[str]:
    """Ids of an object's prompts of other controls, whose being open no request of these tells."""
    controls = {placed.control for placed in region.placed}
    return {placed.id for placed in answered.placed if placed.control not in controls}
