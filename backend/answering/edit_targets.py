"""Which object of the page a request's prompts mean.

Prompts whose first one lies on a mask of the page edit it: the answer carries its id, and the page
puts it in the mask's place. So do prompts that are placed beside a mask that is selected, with
Auto-Accept, and a click after a box that waits for its check. Alt+click beside all masks takes from
the object that was answered last. All others begin a new object. Without a label of its own it gets
those of the object that was answered last.

An object that is as it was last answered goes on from the prompts of that answer, as if it had
never been accepted. Any other mask is the prior of what is answered.
"""

from __future__ import annotations

from dataclasses import replace

from backend.answering.answered_object import AnsweredObject
from backend.answering.edit import Edit
from backend.answering.on_page import PageObject, has_labels, has_taken_in, is_left_over
from backend.answering.standing import is_begun, is_continued
from backend.answering.waiting_boxes import boxed_object
from backend.label_studio.region_request import PlacedPrompt, RegionRequest
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Box, Click

_MAX_PROMPTS = 100  # of an object; more edit its mask


def begun_edit(
    objects: list[PageObject], box: AnsweredObject | None, region: RegionRequest
) -> Edit:
    """Return the edit of prompts that are the first ones of a group on the page.

    Args:
        objects: What is on the page, answered last at the end.
        box: A box that waits for its check, and that the first prompt is about.
        region: The prompts.
    """
    first = region.placed[0].prompt
    if isinstance(first, Box):
        anew = None if region.leaves_selected else boxed_object(objects, first, region)
        return _new(objects, region, regions=anew.regions if anew else ())
    meant = ((_meant(objects, box, click, region), click) for click in _leading(region))
    target, click = next((pair for pair in meant if pair[0] is not None), (None, first))
    if target is None:
        return _new(objects, region)
    if _may_be_undone(target, click, region):
        return _new(objects, region, regions=target.regions)
    joined = _joined(objects, target, region)
    if target.answered is not None and not joined:
        return _going_on(target, target.answered, region)
    return _edit_of(target, joined, region)


def _leading(region: RegionRequest) -> tuple[Click, ...]:
    """The clicks up to the first without Alt, of which the first that means an object decides.

    One with Alt may mean none, and the page sends it along with the next.
    """
    clicks = region.clicks
    signs = [click.is_positive for click in clicks]
    return clicks[: signs.index(True) + 1] if True in signs else clicks


def _meant(
    objects: list[PageObject], box: AnsweredObject | None, click: Click, region: RegionRequest
) -> PageObject | None:
    target = _target(objects, click, region)
    if target is None and box is not None:
        return _pending(box)
    if target is None and not (click.is_positive or region.may_leave_selected):
        return _last(objects, region)
    return target


def continued_edit(
    objects: list[PageObject], answered: AnsweredObject, region: RegionRequest
) -> Edit:
    """Return the edit of prompts that are the next ones of an object that is not accepted."""
    as_answered = (page_object for page_object in objects if page_object.answered is answered)
    target = next(as_answered, _pending(answered))
    others = [other for other in objects if other.is_saved and other is not target]
    is_before = _is_before_prompts(target, others)
    meant = replace(region, placed=_merged(answered, region)) if is_before else region
    joined = _joined(objects, target, meant) if target.is_saved else []
    if joined or any(has_taken_in(target, other) for other in others):
        return _edit_of(target, joined, meant)
    return _going_on(target, answered, region)


def _is_before_prompts(target: PageObject, others: list[PageObject]) -> bool:
    """Whether a draft has a mask as it was before all of its prompts, none of which it shows."""
    prior = None if target.answered is None else target.answered.prior
    if prior is None or target.runs.minus(prior).rows.size:
        return False
    return not prior.minus(target.runs.union(*(other.runs for other in others))).rows.size


def _new(
    objects: list[PageObject], region: RegionRequest, *, regions: tuple[str, ...] = ()
) -> Edit:
    """A new object's edit, in the place of regions that may have been undone."""
    last = next((page_object for page_object in reversed(objects) if page_object.at > 0), None)
    labels = None if region.named or last is None else last.labels
    return Edit(placed=region.placed, regions=regions, labels=labels or None)


def _pending(answered: AnsweredObject) -> PageObject:
    return PageObject(
        regions=answered.regions,
        labels=answered.labels,
        runs=answered.answer,
        answered=answered,
        is_saved=False,
    )


def _may_be_undone(target: PageObject, click: Click, region: RegionRequest) -> bool:
    """Whether a click means an object anew that may be on the page no more, and must not come back.

    A click without Alt on a mask reaches the server with Ctrl, or where the mask was undone. The
    page decides: what the click alone gives takes the mask's place, or is new.
    """
    is_on_mask = click.is_positive and lies_on(target.runs, click)
    return is_on_mask and not (target.is_saved or region.adds_to_selected)


def _last(objects: list[PageObject], region: RegionRequest) -> PageObject | None:
    """The object of the points' labels that was answered last; no one of many alike."""
    answered = (
        page_object
        for page_object in reversed(objects)
        if page_object.at > 0 and has_labels(page_object.labels, region)
        if not (page_object.answered and page_object.answered.alike_to)
    )
    return next(answered, None)


def _target(objects: list[PageObject], click: Click, region: RegionRequest) -> PageObject | None:
    """The smallest object of the points' labels that the first click lies on.

    Beside a selected one the nearest: the page does not say which one is selected, and sends no
    click on a mask then. One that lies on a mask tells that only a label is still chosen. With Alt,
    and on none of its label, one of any: nothing begins with Alt, and no other object lies there.
    """
    fitting = [page_object for page_object in objects if has_labels(page_object.labels, region)]
    hit = [page_object for page_object in fitting if lies_on(page_object.runs, click)]
    if not (hit or click.is_positive):
        hit = [page_object for page_object in objects if lies_on(page_object.runs, click)]
    if region.adds_to_selected and not any(page_object.is_saved for page_object in hit):
        beside = [page_object for page_object in fitting if page_object not in hit] or hit
        return min(beside, key=lambda page_object: page_object.runs.distance(click), default=None)
    hit = [target for target in hit if not any(is_left_over(target, other) for other in hit)]
    return min(hit, key=lambda page_object: int(page_object.runs.lengths.sum()), default=None)


def is_of_saved(objects: list[PageObject], answered: AnsweredObject, region: RegionRequest) -> bool:
    """Return whether prompts that were answered as a new object are to begin again.

    They mean a mask that the page had, or it has an older one under the answer's id. Which masks
    are on the page may be known only after the first answer.
    """
    if not answered.is_new or any(page_object.answered is answered for page_object in objects):
        return False
    saved = [page_object for page_object in objects if page_object.is_saved]
    if any({*page_object.regions} & {*answered.regions} for page_object in saved):
        return True  # that is an older answer
    return is_begun(answered) and any(_target(saved, click, region) for click in _leading(region))


def _edit_of(target: PageObject, joined: list[PageObject], region: RegionRequest) -> Edit:
    """The edit of a mask as it is, with those that are to become part of it."""
    return Edit(
        placed=region.placed,
        regions=target.regions,
        labels=target.labels,
        is_new=False,
        before=target.runs,
        prior=target.runs.union(*(page_object.runs for page_object in joined)),
        joined=tuple(name for page_object in joined for name in page_object.regions),
    )


def _going_on(target: PageObject, answered: AnsweredObject, region: RegionRequest) -> Edit:
    """The edit that goes on from the prompts of the last answer."""
    placed, goes_on = _merged(answered, region), is_continued(answered, region)
    if len(placed) > _MAX_PROMPTS and not goes_on:
        return _edit_of(target, [], region)
    return Edit(
        placed=placed,
        regions=target.regions,
        labels=target.labels,
        is_accepted=target.is_saved or not goes_on,
        is_new=answered.is_new,
        before=target.runs,
        prior=answered.prior,
    )


def _merged(answered: AnsweredObject, region: RegionRequest) -> tuple[PlacedPrompt, ...]:
    """An object's prompts with those of a request.

    A request has all open prompts of one control: what it lacks of them was undone. If it has none
    of them, they were accepted.
    """
    newest = {placed.id: placed for placed in region.placed}
    controls = {placed.control for placed in region.placed}
    goes_on = is_continued(answered, region)
    kept = []
    for placed in answered.placed:
        if placed.id in newest:
            kept.append(replace(newest[placed.id], is_open=placed.is_open))
        elif not placed.is_open or placed.control not in controls:
            kept.append(placed)
        elif not goes_on:
            kept.append(replace(placed, is_open=False))
    return (*kept, *(placed for placed in region.placed if placed.id not in answered.point_ids))


def _joined(
    objects: list[PageObject], target: PageObject, region: RegionRequest
) -> list[PageObject]:
    """Further objects of the target's labels that its clicks lie on."""
    claims = [placed.prompt for placed in region.placed if isinstance(placed.prompt, Click)]
    return [
        other
        for other in objects
        if other is not target and other.is_saved and other.labels == target.labels
        if any(
            click.is_positive and lies_on(other.runs, click) and not lies_on(target.runs, click)
            for click in claims
        )
    ]


def lies_on(runs: MaskRuns, click: Click) -> bool:
    """Return whether a click lies on a mask."""
    return runs.index_under(click) is not None
