"""Which objects are on the page of whoever clicks: what it has saved, and what it was answered.

An answer counts as on the page until the draft says otherwise: it is not there any more once a
draft without it was saved, when none was saved for longer than the page waits, or when the task was
opened since then. Nobody else's answer counts. Label Studio does not tell who clicks, so before the
first draft of a task for several annotators no answer counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from backend.answering.answered_object import AnsweredObject
from backend.answering.existing import ExistingMask
from backend.answering.standing import (
    is_begun,
    is_continued,
    is_ours,
    is_same,
    is_saved,
    may_stand,
)
from backend.label_studio.page import storable
from backend.label_studio.region_request import RegionRequest
from backend.label_studio.request import TaskRequest
from mfp_model.masks.runs import MaskRuns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PageObject:
    """One of them.

    Attributes:
        regions: Ids of the page's regions that it is made of, in order.
        labels: Its labels.
        runs: Its pixels.
        answered: The answer that it still is; None where somebody drew or changed it.
        at: When it was answered last, seconds since 1970; 0 for never.
        is_saved: A draft has it. Else it may have been undone or dismissed.
        is_ahead: Its answer was given since the last draft.
    """

    regions: tuple[str, ...]
    labels: tuple[str, ...]
    runs: MaskRuns
    answered: AnsweredObject | None = None
    at: float = 0.0
    is_saved: bool = True
    is_ahead: bool = False


def objects_on_page(
    masks: Iterable[ExistingMask],
    answered: Iterable[AnsweredObject],
    task: TaskRequest,
    region: RegionRequest,
    now: float,
) -> list[PageObject]:
    """Return the objects of a control, those answered last at the end.

    Args:
        masks: What the annotation holds.
        answered: What was answered for the task, oldest first.
        task: The task.
        region: What is clicked now.
        now: Seconds since 1970.
    """
    ours = _newest(
        answered_object for answered_object in answered if is_ours(answered_object, task, region)
    )
    by_region = {
        name: answered_object for answered_object in ours for name in answered_object.regions
    }
    parts: dict[tuple[str, ...], list[ExistingMask]] = {}
    for mask in masks:
        entry = by_region.get(storable(mask.id))
        parts.setdefault(entry.regions if entry else (mask.id,), []).append(mask)
    saved = [
        page_object
        for masks in parts.values()
        for page_object in _saved_objects(masks, by_region.get(storable(masks[0].id)), task, region)
    ]
    unsaved = [
        PageObject(
            regions=answered_object.regions,
            labels=answered_object.labels,
            runs=answered_object.answer,
            answered=answered_object if answered_object.shown.rows.size else None,
            at=answered_object.at,
            is_saved=False,
        )
        for answered_object in ours
        if answered_object.regions not in parts and may_stand(answered_object, task, region, now)
    ]
    objects = [*saved, *unsaved]
    return sorted(objects, key=lambda page_object: page_object.at)


def _newest(answered: Iterable[AnsweredObject]) -> list[AnsweredObject]:
    """The answers that no later one has replaced, oldest first.

    An object's open prompts may be answered under another id, or in another annotation, than the
    first of them were: before the first draft little is known.
    """
    newest: list[AnsweredObject] = []
    regions, prompts = set[str](), set[str]()
    for entry in reversed([*answered]):
        if entry.regions[0] not in regions and prompts.isdisjoint(entry.open_ids):
            newest.append(entry)
        regions.add(entry.regions[0])
        prompts |= entry.open_ids
    return newest[::-1]


def has_taken_in(target: PageObject, other: PageObject) -> bool:
    """Return whether an object's answer took in another one that what is drawn of it lacks."""
    return _took(target, other) and bool(other.runs.minus(target.runs).rows.size)


def is_left_over(other: PageObject, target: PageObject) -> bool:
    """Return whether another object took one in, which the page was then told to delete.

    No draft says yet whether it was.
    """
    return target.is_ahead and target.at > other.at and _took(target, other)


def _took(target: PageObject, other: PageObject) -> bool:
    prior = None if target.answered is None else target.answered.prior
    is_fitting = target is not other and target.labels == other.labels
    return prior is not None and is_fitting and not other.runs.minus(prior).rows.size


def has_labels(labels: Iterable[str], region: RegionRequest) -> bool:
    """Return whether labels have the points' ones; a mask may tell them by value or by alias."""
    return {*region.named} <= {region.control.written(label) for label in labels}


def _saved_objects(
    masks: list[ExistingMask],
    answered: AnsweredObject | None,
    task: TaskRequest,
    region: RegionRequest,
) -> list[PageObject]:
    """The object of an answer; one for each polygon where somebody gave one another label."""
    if len({mask.labels for mask in masks}) == 1:
        return [_saved(masks, answered, task, region)]
    return [_saved([mask], None, task, region) for mask in masks]


def _saved(
    masks: list[ExistingMask],
    answered: AnsweredObject | None,
    task: TaskRequest,
    region: RegionRequest,
) -> PageObject:
    """An object that the annotation holds.

    Where its last answer was accepted and is not saved yet, that answer counts. The answer may have
    been dismissed instead; then the dismissed one counts until the page saves. A prediction that
    several people begin with counts as it was drawn.
    """
    drawn = masks[0].runs.union(*(mask.runs for mask in masks[1:]))
    regions, labels = tuple(mask.id for mask in masks), masks[0].labels
    as_drawn = PageObject(
        regions=regions, labels=labels, runs=drawn, at=0.0 if answered is None else answered.at
    )
    if answered is None or (task.there.is_shared and not is_continued(answered, region)):
        return as_drawn
    was_saved = answered.is_left or is_saved(answered, task)
    goes_on = is_continued(answered, region)
    may_differ = is_begun(answered) if goes_on else was_saved  # drawn or, below, answered before
    if may_differ and not is_same(drawn, answered, region):
        return as_drawn
    runs = drawn if was_saved or goes_on else answered.answer
    may_count = goes_on or bool(answered.shown.rows.size)  # what shows nothing is not accepted
    own = {storable(name): name for name in regions}  # the page knows no other names
    return replace(
        as_drawn,
        regions=tuple(own.get(name, name) for name in answered.regions),
        runs=runs,
        answered=answered if may_count else None,
        is_ahead=not was_saved,
    )
