"""What a request's prompts edit, what the answer must not cover, and what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from backend.answering.answered import AnsweredObjects
from backend.answering.answered_object import AnsweredObject
from backend.answering.edit import Edit
from backend.answering.edit_targets import (
    begun_edit,
    continued_edit,
    is_of_saved,
    lies_on,
)
from backend.answering.encoding import Encoded
from backend.answering.existing import ExistingMask, ExistingMasks
from backend.answering.left_points import without_left_points
from backend.answering.made import Made
from backend.answering.on_page import PageObject, objects_on_page
from backend.answering.splitting import split
from backend.answering.standing import (
    annotation_name,
    is_continued,
    is_found_anew,
    is_ours,
    may_be_lost,
    may_stand,
)
from backend.answering.waiting_boxes import clicked_box, may_be_in_box, without_undone
from backend.label_studio.page import storable
from backend.label_studio.region_request import RegionRequest
from backend.label_studio.request import TaskRequest
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Click


class Edits:
    """Finds the objects, and remembers their answers."""

    def __init__(self, existing: ExistingMasks, answered: AnsweredObjects | None = None) -> None:
        """Make one; without a file of answers it remembers for one process."""
        self._existing = existing
        self._answered = answered or AnsweredObjects()

    def objects(self, task: TaskRequest, region: RegionRequest) -> list[RegionRequest]:
        """Return one request for each object that the prompts of one mean.

        Of examples for all like this it is the newest alone, which is like the others. It means
        nothing with Alt.
        """
        answered = self._answered.of(task, region)
        masks = partial(self._masks, task, region)
        living = without_left_points(region, answered, task, masks)
        objects = split(living, answered, self._answered.clock())
        if not task.is_alike:
            return objects
        return [request for request in objects[-1:] if request.is_positive]

    def edit(
        self,
        task: TaskRequest,
        region: RegionRequest,
        before: Sequence[Made] = (),
        behind: Sequence[RegionRequest] = (),
    ) -> Edit:
        """Return what an object's prompts edit, and what is around it.

        A read-only mask is kept clear of and never edited. It can be an example of all like this.

        Args:
            task: The task.
            region: The object and its prompts.
            before: Objects of the same answer. They are not on the page yet, so no prompt means
                them, but the object keeps clear of them, too.
            behind: Further objects of the same request. What they go on from is not this one's.
        """
        there, now = self._masks(task, region), self._answered.clock()
        masks = [mask for mask in there if task.is_alike or not mask.is_readonly]
        answered = [without_undone(e, task, region) for e in self._answered.of(task, region)]
        taken = {name for made in before if made.runs.rows.size for name in made.edit.regions}
        objects = [
            page_object
            for page_object in objects_on_page(masks, answered, task, region, now)
            if taken.isdisjoint(page_object.regions)
        ]
        theirs = _gone_on_from(answered, behind)
        targets = [page_object for page_object in objects if theirs.isdisjoint(page_object.regions)]
        own = [entry for entry in answered if taken.isdisjoint(entry.regions)]
        begun = next((entry for entry in reversed(own) if is_continued(entry, region)), None)
        if begun is not None and not is_of_saved(targets, begun, region):
            edit = continued_edit(targets, begun, region)
        else:
            edit = begun_edit(targets, clicked_box(answered, task, region, now), region)
        if region.control.overlaps and not task.is_alike:
            return edit
        edited = {*edit.regions, *edit.joined}
        others = [page_object for page_object in objects if edited.isdisjoint(page_object.regions)]
        fixed = [mask.runs for mask in there if mask not in masks]
        beside = [*(made.runs for made in before), *fixed]
        return replace(edit, others=_others(others, beside, edit))

    def prepare(self, task: TaskRequest, *, height: int, width: int) -> None:
        """Read the masks of a task that is being opened, so that its first click need not."""
        if task.control is not None:
            self._existing.read(task.there, task.control, height=height, width=width)

    def note(self, task: TaskRequest, region: RegionRequest, edit: Edit, answer: Encoded) -> None:
        """Remember an answer.

        The page shows nothing of an answer without a pixel, so a mask then stays as it was.

        Args:
            task: The task.
            region: The object and all its prompts.
            edit: What they edit.
            answer: What was sent.
        """
        names = tuple(dict.fromkeys(map(storable, (*answer.regions, *edit.regions))))
        on_page = answer.runs if answer.runs.rows.size else edit.before
        if not names or on_page is None:
            return
        answered = AnsweredObject(
            regions=names,
            labels=edit.labels_of(region),
            placed=edit.placed,
            annotation=annotation_name(task, region),
            stamp=task.there.stamp,
            is_new=edit.is_new,
            prior=edit.prior,
            answer=on_page,
            shown=answer.shown,
            at=self._answered.clock(),
        )
        self._answered.remember(task, region, [answered])

    def note_alike(
        self, task: TaskRequest, region: RegionRequest, alike_objects: Sequence[Encoded]
    ) -> None:
        """Remember what an example found, in the place of what it found before.

        Args:
            task: The task.
            region: The example.
            alike_objects: All but the example itself.
        """
        before = self._answered.of(task, region)
        replaced = [answered for answered in before if is_found_anew(answered, region)]
        self._answered.forget(task, region, replaced)
        objects = [
            AnsweredObject(
                regions=alike.regions,
                labels=region.labels,
                placed=(),
                alike_to=region.point_ids,
                annotation=annotation_name(task, region),
                stamp=task.there.stamp,
                is_new=True,
                prior=alike.runs,
                answer=alike.runs,
                shown=alike.shown,
                at=self._answered.clock(),
            )
            for alike in alike_objects
        ]
        self._answered.remember(task, region, objects)

    def may_have_unsaved(self, task: TaskRequest, region: RegionRequest) -> bool:
        """Return whether objects found before may be on the page, which has not saved them."""
        now = self._answered.clock()
        return any(
            entry.alike_to
            and (may_stand(entry, task, region, now) or may_be_lost(entry, task, region, now))
            and is_ours(entry, task, region)
            and not task.there.has_any(frozenset(entry.regions))
            for entry in self._answered.of(task, region)
        )

    def hangs_on_draft(
        self, task: TaskRequest, region: RegionRequest, edits: Iterable[Edit]
    ) -> bool:
        """Return whether prompts may mean what is on one page of several, but not on this.

        That is a box that waits for its check, a mask of another draft, or one that may be lost.

        Args:
            task: The task.
            region: The prompts, of which the first one decides.
            edits: What they edit, as far as is known.
        """
        answered, now = self._answered.of(task, region), self._answered.clock()
        if may_be_in_box(answered, task, region, now):
            return True
        click, elsewhere = region.placed[0].prompt, replace(task.there, rows=task.there.elsewhere)
        masks = self._masks(replace(task, there=elsewhere), region)
        lost = [entry for entry in answered if may_be_lost(entry, task, region, now)]
        names = {name for entry in lost for name in entry.regions}
        if any(storable(name) in names for edit in edits for name in (*edit.regions, *edit.joined)):
            return True
        unsure = (*(mask.runs for mask in masks), *(entry.answer for entry in lost))
        return isinstance(click, Click) and any(lies_on(runs, click) for runs in unsure)

    def _masks(self, task: TaskRequest, region: RegionRequest) -> list[ExistingMask]:
        size = {"height": region.height, "width": region.width}
        return self._existing.read(task.there, region.control, **size)

    def opened(self, task: TaskRequest) -> None:
        """Note that a page opens a task."""
        self._answered.leave(task)


def _gone_on_from(
    answered: Iterable[AnsweredObject], requests: Sequence[RegionRequest]
) -> set[str]:
    """Ids of the regions of objects that requests go on from."""
    return {
        name
        for answered_object in answered
        if any(is_continued(answered_object, request) for request in requests)
        for name in answered_object.regions
    }


def _others(objects: list[PageObject], beside: Iterable[MaskRuns], edit: Edit) -> MaskRuns | None:
    """The masks beside the edited one; what a click claims may be covered."""
    claims = [placed.prompt for placed in edit.placed if isinstance(placed.prompt, Click)]
    others = [
        runs
        for runs in (*(page_object.runs for page_object in objects), *beside)
        if not any(click.is_positive and lies_on(runs, click) for click in claims)
    ]
    return others[0].union(*others[1:]) if others else None
