"""All like this: the answer to an example, with every object that looks like it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from backend.answering.edit import Edit
from backend.answering.encoding import MaskEncoder
from backend.answering.made import Made
from backend.images.loader import LoadedImage
from backend.label_studio.request import TaskRequest
from backend.label_studio.rows import empty_result, result
from mfp_model.finding.alike import MAX_ALIKE, find_alike
from mfp_model.finding.likeness import example_of


def alike_answer(
    task: TaskRequest,
    made: Made,
    image: LoadedImage,
    turn: Callable[[], AbstractContextManager[object]],
    encoder: MaskEncoder,
) -> dict[str, Any]:
    """Return an entry of `results` with at most 100 objects, the surest first.

    What is clicked on is the example. It is among the answer's objects where clicks began it, since
    the page may not have it yet; where it has, this takes its place. A mask that was there before
    all clicks is left alone. No object covers a mask that is there.

    Args:
        task: The task.
        made: The mask that answers the example's clicks; others get its labels.
        image: The image.
        turn: What each look at the image is computed in.
        encoder: Makes rows of masks.
    """
    region, edit, segmenter = made.region, made.edit, made.segmenter
    there = edit.before if edit.is_new else edit.prior
    shown = made.runs if there is None else there
    if not shown.rows.size:
        return empty_result()
    mask = shown.mask()
    taken = mask if edit.others is None else mask | edit.others.mask()
    with turn():
        looks = example_of(segmenter, image.pixels, mask)
    limit = MAX_ALIKE - 1 if edit.is_new else MAX_ALIKE
    found = find_alike(segmenter, image.pixels, looks, taken=taken, limit=limit, turn=turn)
    new = Edit(placed=())
    objects = [(edit, shown, made.score)] if edit.is_new else []
    objects += [(new, one.runs, round(one.score, 4)) for one in found]
    rows = [
        row
        for which, runs, score in objects
        for row in encoder.encode(
            task, region, which, runs, score=score, version=segmenter.version
        ).entry["result"]
    ]
    mean = float(np.mean([score for *_, score in objects])) if objects else 0.0
    return result(rows, score=round(mean, 4), version=segmenter.version)
