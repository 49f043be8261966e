"""All like this: the answer to an example, with every object that looks like it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from backend.answering.edit import Edit
from backend.answering.edits import Edits
from backend.answering.encoding import Encoded, MaskEncoder
from backend.answering.made import Made
from backend.images.loader import LoadedImage
from backend.label_studio.request import TaskRequest
from backend.label_studio.rows import empty_result, result
from mfp_model.finding.alike import MAX_ALIKE, AlikeObject, find_alike
from mfp_model.finding.likeness import example_of
from mfp_model.masks.runs import MaskRuns


def alike_answer(
    task: TaskRequest,
    made: Made,
    image: LoadedImage,
    turn: Callable[[], AbstractContextManager[object]],
    encoder: MaskEncoder,
    edits: Edits,
) -> dict[str, Any]:
    """Return an entry of `results` with at most 100 objects, the surest first, and note them.

    What is clicked on is the example. It is among the answer's objects where clicks began it, since
    the page may not have it yet; where it has, this takes its place. A mask that was there before
    all clicks is left alone. No object covers a mask that is there.

    Args:
        task: The task.
        made: The mask that answers the example's clicks; others get its labels.
        image: The image.
        turn: What each look at the image is computed in.
        encoder: Makes rows of masks.
        edits: Remembers what is answered.
    """
    region, edit, version = made.region, made.edit, made.segmenter.version
    shown = made.runs if _is_begun(edit) else edit.before if edit.is_new else edit.prior
    if shown is None or not shown.rows.size:
        return empty_result()

    def encoded(which: Edit, runs: MaskRuns, score: float) -> Encoded:
        return encoder.encode(task, region, which, runs, score=score, version=version)

    new = Edit(placed=())
    others = [
        encoded(new, alike.runs, round(alike.score, 4))
        for alike in _found_alike(made, shown, image, turn)
    ]
    edits.note_alike(task, region, others)
    answers = [encoded(edit, shown, made.score), *others] if edit.is_new else others
    if _is_begun(edit):
        edits.note(task, region, edit, answers[0])
    return _together(answers, version)


def _found_alike(
    made: Made,
    example: MaskRuns,
    image: LoadedImage,
    turn: Callable[[], AbstractContextManager[object]],
) -> list[AlikeObject]:
    """What looks like the example and covers no mask that is there."""
    mask, others = example.mask(), made.edit.others
    taken = mask if others is None else mask | others.mask()
    with turn():
        looks = example_of(made.segmenter, image.pixels, mask)
    limit = MAX_ALIKE - 1 if made.edit.is_new else MAX_ALIKE
    return find_alike(made.segmenter, image.pixels, looks, taken=taken, limit=limit, turn=turn)


def _together(answers: list[Encoded], version: str) -> dict[str, Any]:
    rows = [row for answer in answers for row in answer.entry["result"]]
    scores = [answer.entry["score"] for answer in answers]
    mean = float(np.mean(scores)) if scores else 0.0
    return result(rows, score=round(mean, 4), version=version)


def _is_begun(edit: Edit) -> bool:
    """Whether the example's own clicks, which are not accepted yet, made it."""
    return edit.prior is None and all(placed.is_open for placed in edit.placed)
