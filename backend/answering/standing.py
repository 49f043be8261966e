"""What the clicked annotation says of an answer: whether it is this one's, and still stands."""

from __future__ import annotations

from backend.answering.answered import WAITING_S
from backend.answering.answered_object import AnsweredObject
from backend.label_studio.page import storable
from backend.label_studio.region_request import RegionRequest
from backend.label_studio.request import TaskRequest
from mfp_model.masks.runs import MaskRuns

_UNSAVED_S = 8.0  # the page saves after five
# Of polygons, in pixels and as a share of the object; a brush is saved as it was answered.
_ROUNDING_PX, _ROUNDING = 2, 0.001


def annotation_name(task: TaskRequest, region: RegionRequest) -> str:
    """Return what tells the annotation from the task's others.

    Of one that several people may begin, each for themselves, it names whoever clicks.
    """
    is_open = task.there.is_shared or not (task.there.name or task.is_alone)
    return f"points {min(region.point_ids)}" if is_open else task.there.name


def is_ours(answered: AnsweredObject, task: TaskRequest, region: RegionRequest) -> bool:
    """Return whether it was answered for the annotation that is clicked in.

    Masks of one prediction have the same ids in several people's annotations, those of new objects
    do not.
    """
    return (
        answered.annotation == annotation_name(task, region)
        or is_continued(answered, region)
        or task.there.has_any(answered.asked_ids)
        or (answered.is_new and task.there.has_any(frozenset(answered.regions)))
    )


def is_continued(answered: AnsweredObject, region: RegionRequest) -> bool:
    """Return whether the prompts are the next ones of an object that is not accepted."""
    return not answered.open_ids.isdisjoint(region.point_ids)


def is_begun(answered: AnsweredObject) -> bool:
    """Return whether an object was made by prompts that the page still sends, and by no others."""
    return answered.is_new and answered.open_ids == answered.point_ids


def is_found_anew(answered: AnsweredObject, region: RegionRequest) -> bool:
    """Return whether an object was found by all like this with an example that is asked again."""
    return not answered.alike_to.isdisjoint(region.point_ids)


def is_newer(task: TaskRequest, answered: AnsweredObject) -> bool:
    """Return whether the annotation was saved since an answer was given."""
    return answered.stamp != storable(task.there.stamp)


def is_saved(answered: AnsweredObject, task: TaskRequest) -> bool:
    """Return whether the annotation was saved since it was answered, and no prompt waited then.

    One that the page sends as left behind waited, and the page was loaded since.
    """
    left_behind = task.region.left_behind if task.region else frozenset()
    waiting = answered.asked_ids - left_behind
    return is_newer(task, answered) and not task.there.has_waiting(waiting)


def may_stand(
    answered: AnsweredObject, task: TaskRequest, region: RegionRequest, now: float
) -> bool:
    """Return whether an answer that no draft has may be on the page."""
    is_replaced = is_continued(answered, region) or is_found_anew(answered, region)
    is_there = answered.is_new and not (answered.is_left or is_replaced)
    return is_there and _may_be_unsaved(answered, task, now)


def may_be_lost(
    answered: AnsweredObject, task: TaskRequest, region: RegionRequest, now: float
) -> bool:
    """Return whether the clicked page may have an answer no more, as the task was opened since.

    If the page was loaded again, it has not. If somebody else opened the task, it has. The next
    draft tells, or a prompt that goes on with the answer: it has the answer, then.
    """
    is_doubtful = answered.is_left and not is_continued(answered, region)
    return is_doubtful and _may_be_unsaved(answered, task, now) and is_ours(answered, task, region)


def _may_be_unsaved(answered: AnsweredObject, task: TaskRequest, now: float) -> bool:
    """Whether the page may have an answer, accepted or not, and no draft of it yet.

    A draft with its points says that it still waited for the check a few seconds ago.
    """
    waits_s = WAITING_S if task.there.has_open(answered.asked_ids) else _UNSAVED_S
    return now - answered.at < waits_s and not is_saved(answered, task)


def is_same(drawn: MaskRuns, answered: AnsweredObject, region: RegionRequest) -> bool:
    """Return whether what is drawn is the answer, but for what the page rounds its numbers by."""
    n_either = int(drawn.union(answered.shown).lengths.sum())
    n_both = int(drawn.intersection(answered.shown).lengths.sum())
    rounding_px = _ROUNDING_PX + _ROUNDING * n_either if region.control.kind == "polygon" else 0
    return n_either - n_both <= rounding_px
