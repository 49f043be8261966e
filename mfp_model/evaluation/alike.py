"""How well all objects are found that look like one of them.

Of each image the most frequent category counts. Its object whose area is nearest the median is the
example, and the others are to be found. A mask finds an object where both have an IoU of at least
0.5; the surest mask comes first, and each object is found once. A mask that finds none and lies by
half on crowds of the category does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfp_model.data.coco import OnProblem, refuse
from mfp_model.data.coco_data import CocoAnnotation, CocoData, CocoImage
from mfp_model.data.coco_images import checked_images
from mfp_model.data.orientation import turned
from mfp_model.data.pictures import read_image
from mfp_model.errors import DataError
from mfp_model.finding.alike import MAX_ALIKE, find_alike
from mfp_model.finding.likeness import example_of
from mfp_model.masks.bounds import bounds_of, mask_iou
from mfp_model.masks.depths import deepest_click
from mfp_model.masks.runs import MaskRuns
from mfp_model.segmenter import Segmenter

_FOUND_IOU = 0.5
_ON_CROWD = 0.5  # of the answer's pixels. Source: COCO's evaluation

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlikeImage:
    """An image with several objects of a category.

    Attributes:
        name: Its file's.
        image: RGB uint8 `[H, W, 3]`.
        example: The mask of one of them, bool `[H, W]`.
        others: The masks of the others.
        crowds: The pixels of groups of the category, bool `[H, W]`.
    """

    name: str
    image: NDArray[np.uint8]
    example: Mask
    others: tuple[Mask, ...]
    crowds: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class AlikeScores:
    """What came of one image.

    Attributes:
        name: The image's.
        n_objects: Objects to be found.
        n_answers: Masks that were answered, without those on crowds.
        n_found: Objects that they found.
    """

    name: str
    n_objects: int
    n_answers: int
    n_found: int

    @property
    def precision(self) -> float:
        """The share of the masks that found an object."""
        return self.n_found / max(1, self.n_answers)

    @property
    def recall(self) -> float:
        """The share of the objects that were found, of as many as may be answered."""
        return self.n_found / max(1, min(self.n_objects, MAX_ALIKE))

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def alike_images(
    data: CocoData, *, min_objects: int, on_problem: OnProblem = refuse
) -> Iterator[AlikeImage]:
    """Yield the images that have so many objects of one category, in the order of their names.

    Args:
        data: The data set.
        min_objects: Of the category, the example among them.
        on_problem: Told of each image that is left out since its file is missing or damaged, and of
            each object without a pixel, which nothing could find.
    """
    for image, header in sorted(
        checked_images(data, on_problem), key=lambda pair: pair[0].file_name
    ):
        chosen = _most_frequent(image)
        if len(chosen) < min_objects:
            continue
        masks = []
        for annotation in chosen:
            mask = image.shown_mask(annotation, image.turn(header))
            if mask.any():
                masks.append(mask)
            else:
                on_problem(f"{data.where(image, annotation)}: a mask without a pixel")
        if len(masks) < min_objects:
            continue
        areas = np.array([mask.sum() for mask in masks])
        example = int(np.abs(np.log(areas / np.median(areas))).argmin())
        yield AlikeImage(
            name=image.file_name,
            image=read_image(image.path),
            example=np.ascontiguousarray(masks[example]),
            others=tuple(mask for index, mask in enumerate(masks) if index != example),
            crowds=_crowds(image, chosen[0].category, image.turn(header)),
        )


def _most_frequent(image: CocoImage) -> list[CocoAnnotation]:
    counts = Counter(annotation.category for annotation in image.objects)
    if not counts:
        return []
    category = counts.most_common(1)[0][0]
    return [annotation for annotation in image.objects if annotation.category == category]


def _crowds(image: CocoImage, category: str | None, turn: int) -> Mask:
    pixels = np.zeros((image.height, image.width), dtype=np.bool_)
    for crowd in image.crowds:
        if crowd.category == category:
            pixels |= image.mask(crowd)
    return turned(pixels, turn)


def evaluate_alike(
    segmenter: Segmenter,
    images: Iterable[AlikeImage],
    *,
    example: str,
    report: Callable[[AlikeScores], None] = lambda scores: None,
) -> list[AlikeScores]:
    """Return the scores of each image.

    Args:
        segmenter: What finds.
        images: The images.
        example: How the example is given: as its `mask`, by its `box`, or by a `click` on its
            middle.
        report: Told of each image's scores.

    Raises:
        DataError: There is no image.
    """
    scores = []
    for target in images:
        mask = _given(segmenter, target, example)
        answers = []
        if mask.any():
            looks = example_of(segmenter, target.image, mask)
            answers = find_alike(segmenter, target.image, looks, taken=mask)
        scores.append(_scores(target, [answer.runs for answer in answers]))
        report(scores[-1])
    if not scores:
        raise DataError("nothing to score: no image has so many objects of a category")
    return scores


def _scores(target: AlikeImage, answers: Sequence[MaskRuns]) -> AlikeScores:
    left = list(target.others)
    n_found = n_ignored = 0
    for answer in answers:
        mask = answer.mask()
        ious = [mask_iou(mask, truth) for truth in left]
        if ious and max(ious) >= _FOUND_IOU:
            n_found += 1
            left.pop(int(np.argmax(ious)))
        else:
            n_ignored += bool((mask & target.crowds).sum() >= _ON_CROWD * mask.sum())
    return AlikeScores(
        name=target.name,
        n_objects=len(target.others),
        n_answers=len(answers) - n_ignored,
        n_found=n_found,
    )


def _given(segmenter: Segmenter, target: AlikeImage, example: str) -> Mask:
    bounds = bounds_of(target.example)
    if example == "mask" or bounds is None:
        return target.example
    if example == "box":
        return segmenter.segment(target.image, [bounds.box]).mask
    return segmenter.segment(target.image, [deepest_click(target.example)]).mask
