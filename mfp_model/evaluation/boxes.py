"""How good the masks of boxes are, without a click.

Each object is asked for by its own bounding box. Source of the sizes: COCO's evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mfp_model.errors import DataError
from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.evaluation.scores import SIZES, size_of
from mfp_model.finding.boxes import check_knows_boxes
from mfp_model.masks.bounds import bounds_of, mask_iou
from mfp_model.segmenter import Segmenter


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxedObject:
    """What an object's bounding box led to.

    Attributes:
        size: The object's, one of `scores.SIZES`.
        iou: Of mask and object.
    """

    size: str
    iou: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxScores:
    """Scores of boxes.

    Attributes:
        miou: Mean IoU of mask and object over all objects.
        miou_by_size: The same over the objects of each size, see `scores.SIZES`.
        miou_not_small: The same over those of at least 32x32 pixels, None where there are none.
        n_by_size: How many objects of each size there are.
    """

    miou: float
    miou_by_size: dict[str, float]
    miou_not_small: float | None
    n_by_size: dict[str, int]


def box_object(segmenter: Segmenter, target: EvaluationObject) -> BoxedObject | None:
    """Return what an object's bounding box leads to; None where it has no pixel.

    Raises:
        ConfigError: The segmenter does not know boxes.
    """
    check_knows_boxes(segmenter)
    truth = target.truth & target.valid
    bounds = bounds_of(truth)
    if bounds is None:
        return None
    mask = segmenter.segment(target.image, [bounds.box]).mask
    return BoxedObject(size=size_of(int(truth.sum())), iou=mask_iou(mask, truth, target.valid))


def score_boxes(boxed_objects: Iterable[BoxedObject]) -> BoxScores:
    """Return the scores over what `box_object` returned.

    Raises:
        DataError: There is no object.
    """
    ious: dict[str, list[float]] = {size: [] for size in SIZES}
    for boxed in boxed_objects:
        ious[boxed.size].append(boxed.iou)
    values = [iou for of_size in ious.values() for iou in of_size]
    if not values:
        raise DataError("nothing to score: no object has a pixel")
    not_small = [iou for size, of_size in ious.items() if size != "small" for iou in of_size]
    return BoxScores(
        miou=float(np.mean(values)),
        miou_by_size={size: float(np.mean(of_size)) for size, of_size in ious.items() if of_size},
        miou_not_small=float(np.mean(not_small)) if not_small else None,
        n_by_size={size: len(of_size) for size, of_size in ious.items()},
    )


def as_table(scores: BoxScores) -> str:
    """Return the scores as a Markdown table."""
    lines = ["| size | objects | mean IoU |", "|---|---|---|"]
    for size, iou in scores.miou_by_size.items():
        lines.append(f"| {size} | {scores.n_by_size[size]} | {iou:.3f} |")
    lines.append(f"| all | {sum(scores.n_by_size.values())} | {scores.miou:.3f} |")
    return "\n".join(lines)
