"""The way of a click: request -> image -> rounds -> mask -> answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from backend.answering.alike import alike_answer
from backend.answering.awaited_draft import with_draft_of_click
from backend.answering.click_store import ClickStore
from backend.answering.doubts import Doubts
from backend.answering.edit import Answered, Edit
from backend.answering.edits import Edits
from backend.answering.encoding import Encoded, MaskEncoder, together
from backend.answering.made import Made
from backend.answering.openings import Openings
from backend.answering.prefetch import Prefetcher
from backend.answering.turns import ClickedObject, Place, SupersededError, Turns
from backend.finding.answer import TaskFinder
from backend.images.loader import ImageLoader, LoadedImage
from backend.label_studio.drafts import SavedDrafts
from backend.label_studio.region_request import RegionRequest
from backend.label_studio.request import TaskRequest
from backend.label_studio.rows import empty_result
from backend.models.segmenter_choice import SegmenterChoice
from backend.monitoring.telemetry import Telemetry
from mfp_model.errors import MfpError
from mfp_model.masks.runs import MaskRuns
from mfp_model.masks.specks import remove_new_specks, remove_specks
from mfp_model.prediction import Prediction, mask_prediction
from mfp_model.prompts import Box
from mfp_model.segmenter import Segmenter

ForClick = Callable[[Segmenter, LoadedImage, Place], Segmenter]


class Predictor:
    """Answers tasks; holds no state that an answer depends on."""

    def __init__(
        self,
        images: ImageLoader,
        store: ClickStore,
        choice: SegmenterChoice,
        edits: Edits,
        finding: TaskFinder,
        turns: Turns,
        drafts: SavedDrafts,
        telemetry: Telemetry,
        *,
        polygon_error_px: float,
        for_click: ForClick = lambda segmenter, image, place: segmenter,
        on_answer: Callable[[Answered], None] = lambda answered: None,
    ) -> None:
        """Make a predictor.

        Args:
            images: Where images come from.
            store: Rounds that were computed before.
            choice: What answers.
            edits: What is there already.
            finding: Answers tasks that are opened.
            turns: Who may compute when.
            drafts: Tells in which annotation a click was made, where a request leaves that open.
            telemetry: Told of steps, clicks and errors.
            polygon_error_px: How far a polygon may be from the mask's edge.
            for_click: Returns the segmenter that computes a click's rounds.
            on_answer: Told of each mask that answers clicks.
        """
        self._images = images
        self._store = store
        self._choice = choice
        self._edits = edits
        self._turns = turns
        self._drafts = drafts
        self._telemetry = telemetry
        self._doubts = Doubts(telemetry)
        self._for_click = for_click
        self._on_answer = on_answer
        self._encoder = MaskEncoder(telemetry, polygon_error_px=polygon_error_px)
        prefetcher = Prefetcher(images, edits, telemetry)
        self._openings = Openings(finding, prefetcher, edits, turns, telemetry)

    def results(
        self, tasks: list[TaskRequest], *, has_left: Callable[[], bool] = lambda: False
    ) -> list[dict[str, Any]]:
        """Return the entries of `results` for a request's tasks.

        There is none for a task being opened, unless its label configuration has a finder.

        Args:
            tasks: The tasks.
            has_left: Whether nobody waits for the answer any more; asked before each round, and
                before each task whose objects are looked for.

        Raises:
            ImageError: An image cannot be used, or is not of the size that the page sees.
            NotReadyError: The weights are not loaded.
            BusyError: Too many requests are in work.
        """
        if all(task.is_opening for task in tasks):
            return self._openings.results(tasks, has_left)
        is_alone = len(tasks) == 1
        return [self._result(task, has_left, is_alone) for task in tasks]

    def _result(
        self, task: TaskRequest, has_left: Callable[[], bool], is_alone: bool
    ) -> dict[str, Any]:
        """A clicked task's entry; what is wrong with it leaves the others of the request alone."""
        if task.region is None:
            return empty_result()
        try:
            return self._answer(task, task.region, has_left)
        except MfpError as error:
            if is_alone:
                raise
            self._telemetry.failed(error, during=f"task {task.task_id:.20}")
            return empty_result()

    def _answer(
        self, task: TaskRequest, region: RegionRequest, has_left: Callable[[], bool]
    ) -> dict[str, Any]:
        who = ClickedObject(task=f"{task.project}:{task.task_id}", point_ids=region.point_ids)
        try:
            with (
                self._telemetry.click(task.task_id, len(region.prompts)),
                self._turns.place(who, has_left) as place,
            ):
                with self._telemetry.step("image"):
                    image = self._images.load(task.image, task_id=task.task_id)
                image.check_size(width=region.width, height=region.height)
                made = self._made_objects(task, region, image, place)
                if self._is_unsure(task, region, made):
                    with self._telemetry.step("page"):
                        task = with_draft_of_click(task, self._drafts, place)
                    assert task.region is not None, "its points are the same"
                    made = self._made_objects(task, task.region, image, place)
                self._doubts.note(task)
                if made and task.is_alike:
                    turn = partial(self._turns.turn, place)
                    return alike_answer(task, made[-1], image, turn, self._encoder, self._edits)
                answers = [self._encoded(task, mask) for mask in made]
                place.check()  # the page would not show them
                for mask, answer in zip(made, answers, strict=True):
                    self._note(task, mask, answer)
                return together(answers) if answers else empty_result()
        except SupersededError as error:
            self._telemetry.superseded(task.task_id, str(error))
            return empty_result()

    def _is_unsure(self, task: TaskRequest, region: RegionRequest, made: list[Made]) -> bool:
        """Whether the draft that the page saves of the click tells more than is known."""
        if self._edits.hangs_on_draft(task, region, [mask.edit for mask in made]):
            return True
        is_unsaved = task.is_alike and self._edits.may_have_unsaved(task, region)
        return (task.there.is_unsure or is_unsaved) and any(mask.hangs_on_page for mask in made)

    def _encoded(self, task: TaskRequest, made: Made) -> Encoded:
        region, version = made.region, made.segmenter.version
        with self._telemetry.step("encode"):
            return self._encoder.encode(
                task, region, made.edit, made.runs, score=made.score, version=version
            )

    def _note(self, task: TaskRequest, made: Made, answer: Encoded) -> None:
        """Remember an object's answer, and tell of it."""
        region, edit, runs = made.region, made.edit, made.runs
        self._edits.note(task, region, edit, answer)
        self._on_answer(
            Answered(task=task, region=region, edit=edit, runs=runs, result=answer.entry)
        )

    def _made_objects(
        self, task: TaskRequest, region: RegionRequest, image: LoadedImage, place: Place
    ) -> list[Made]:
        """The masks that answer, each clear of those before it; none for no object."""
        made: list[Made] = []
        waiting = self._edits.objects(task, region)
        while waiting:
            object_request, *waiting = waiting
            with self._telemetry.step("edit"):
                edit = self._edits.edit(task, object_request, made, waiting)
            asked = replace(object_request, placed=edit.placed)
            mask = self._made(task, asked, edit, image, place)
            made += [] if mask is None else [mask]
        return made

    def _made(
        self, task: TaskRequest, region: RegionRequest, edit: Edit, image: LoadedImage, place: Place
    ) -> Made | None:
        """The mask of an object; None where the prompts mean none."""
        if edit.prior is None and not region.is_positive:
            return None
        has_box = any(isinstance(prompt, Box) for prompt in region.prompts)
        segmenter = self._choice.segmenter(
            task.project,
            region.point_ids,
            asked=region.control.segmenter,
            edits=edit.prior is not None or has_box,
        )
        segmenter = self._for_click(segmenter, image, place)
        prediction = self._predict(segmenter, image, region, edit, place)
        place.check()
        with self._telemetry.step("mask"):
            whole = _without_specks(prediction.runs, prediction, edit.prior)
            runs = edit.bounded(whole)
            is_cut = int(runs.lengths.sum()) != int(whole.lengths.sum())
            if is_cut:  # which may leave splinters; what fills a hole may be another mask's
                runs = edit.bounded(_without_specks(runs, prediction, edit.prior))
        return Made(
            region=region,
            edit=edit,
            runs=runs,
            score=round(prediction.score, 4),
            segmenter=segmenter,
            hangs_on_page=bool(edit.regions or region.strokes) or is_cut or task.is_alike,
        )

    def _predict(
        self,
        segmenter: Segmenter,
        image: LoadedImage,
        region: RegionRequest,
        edit: Edit,
        place: Place,
    ) -> Prediction:
        start = f"{image.digest} {edit.key}"
        prediction = self._store.longest_prefix(start, segmenter.version, region.prompts)
        if prediction is None and edit.prior is not None:
            prediction = mask_prediction(edit.prior)
        rounds = segmenter.rounds(image.pixels, region.prompts, prediction)
        while prediction is None or len(prediction.prompts) < len(region.prompts):
            with self._turns.turn(place), self._telemetry.step("round"):
                prediction = next(rounds)
            self._store.remember(start, segmenter.version, prediction)
        return prediction


def _without_specks(runs: MaskRuns, prediction: Prediction, prior: MaskRuns | None) -> MaskRuns:
    if prior is None:
        return remove_specks(runs, prediction.prompts)
    return remove_new_specks(runs, prior, prediction.prompts)
