"""All objects that look like one."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mfp_model.errors import PromptError
from mfp_model.finding.alike import AlikeObject, find_alike
from mfp_model.finding.likeness import example_of, peaks
from mfp_model.frames.window import whole
from mfp_model.masks.bounds import mask_iou
from mfp_model.prediction import Prediction
from mfp_model.prompts import Prompt, clicks_of
from tests.fakes import DiskSegmenter

_HEIGHT, _WIDTH, _RADIUS = 240, 320, 15
_RED, _GREEN, _GREY = (200, 40, 40), (40, 180, 60), (110, 110, 110)
_REDS = ((40, 40), (120, 60), (250, 50), (60, 180), (200, 190))
_GREENS = ((180, 120), (290, 130), (120, 200))


def _disk(x: int, y: int, radius: int = _RADIUS) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 < radius**2)


def _image() -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 12, (_HEIGHT, _WIDTH, 3))
    image = np.full((_HEIGHT, _WIDTH, 3), _GREY, dtype=np.int64)
    for places, colour in ((_REDS, _RED), (_GREENS, _GREEN)):
        for x, y in places:
            image[_disk(x, y)] = colour
    return (image + noise).astype(np.uint8)


def _found(objects: list[AlikeObject], places: tuple[tuple[int, int], ...]) -> set[tuple[int, int]]:
    masks = [match.runs.mask() for match in objects]
    return {place for place in places if any(mask_iou(mask, _disk(*place)) > 0.5 for mask in masks)}


@pytest.fixture
def segmenter() -> DiskSegmenter:
    return DiskSegmenter(radius=_RADIUS)


def test_all_of_the_examples_colour_are_found_and_none_of_another(segmenter: DiskSegmenter) -> None:
    image, mask = _image(), _disk(*_REDS[0])
    matches = find_alike(segmenter, image, example_of(segmenter, image, mask), taken=mask)
    assert _found(matches, _REDS) == set(_REDS[1:])
    assert not _found(matches, _GREENS)
    assert len(matches) == len(_REDS) - 1
    scores = [match.score for match in matches]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_an_example_finds_its_like_on_another_image(segmenter: DiskSegmenter) -> None:
    image = _image()
    example = example_of(segmenter, image, _disk(*_GREENS[0]))
    other = np.ascontiguousarray(image[:, ::-1])
    matches = find_alike(segmenter, other, example)
    mirrored = tuple((_WIDTH - 1 - x, y) for x, y in _GREENS)
    assert _found(matches, mirrored) == set(mirrored)
    assert len(matches) == len(_GREENS)


def test_nothing_is_found_where_masks_are_and_at_most_so_many(segmenter: DiskSegmenter) -> None:
    image, mask = _image(), _disk(*_REDS[0])
    example = example_of(segmenter, image, mask)
    taken = mask | _disk(*_REDS[1]) | _disk(_REDS[2][0] + 20, _REDS[2][1])
    matches = find_alike(segmenter, image, example, taken=taken)
    assert all(not (match.runs.mask() & taken).any() for match in matches)
    assert _REDS[1] not in _found(matches, _REDS)
    assert len(find_alike(segmenter, image, example, taken=mask, limit=2)) == 2


class _ColourSegmenter(DiskSegmenter):
    """Answers what is connected with the click and of its colour."""

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        (click,) = clicks_of(prompts)
        height, width = image.shape[:2]
        row, column = click.pixel(height=height, width=width)
        filled = np.zeros((height + 2, width + 2), np.uint8)
        flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
        cv2.floodFill(image.copy(), filled, (column, row), (0,) * 3, (20,) * 3, (20,) * 3, flags)
        values = filled[1:-1, 1:-1].astype(np.float32)
        layers = previous.layers.pasted(whole(height, width), values)
        yield Prediction(prompts=prompts, layers=layers, iou=0.9)


def test_what_goes_on_behind_the_edge_of_what_was_looked_at_is_no_object() -> None:
    """A band is wider than what is looked at; disks at the image's own edge are answered."""
    image, edge = _image(), (0, 100)
    image[215:227], image[_disk(*edge)] = _RED, _RED
    segmenter, mask = _ColourSegmenter(), _disk(*_REDS[0])
    matches = find_alike(segmenter, image, example_of(segmenter, image, mask), taken=mask)
    assert _found(matches, (*_REDS, edge)) == {*_REDS[1:], edge}
    assert len(matches) == len(_REDS)


def test_each_look_has_its_turn_and_what_it_raises_ends_the_search(
    segmenter: DiskSegmenter,
) -> None:
    image = _image()
    turns = []

    @contextmanager
    def turn() -> Iterator[None]:
        turns.append(1)
        if len(turns) == 3:
            raise InterruptedError
        yield

    with pytest.raises(InterruptedError):
        find_alike(segmenter, image, example_of(segmenter, image, _disk(*_REDS[0])), turn=turn)
    assert len(turns) == 3


def test_an_answer_is_the_same_again(segmenter: DiskSegmenter) -> None:
    image, mask = _image(), _disk(*_REDS[0])
    first, second = (
        find_alike(segmenter, image, example_of(segmenter, image, mask)) for _ in range(2)
    )
    assert [match.score for match in first] == [match.score for match in second]


def test_an_example_without_a_pixel_is_refused(segmenter: DiskSegmenter) -> None:
    with pytest.raises(PromptError, match="empty"):
        example_of(segmenter, _image(), np.zeros((_HEIGHT, _WIDTH), np.bool_))


@pytest.mark.parametrize("size", [(1, 1), (5, 400), (30, 30)])
def test_images_of_any_size_can_be_looked_at(
    segmenter: DiskSegmenter, size: tuple[int, int]
) -> None:
    image, mask = np.zeros((*size, 3), np.uint8), np.ones(size, np.bool_)
    assert find_alike(segmenter, image, example_of(segmenter, image, mask), taken=mask) == []


@pytest.mark.parametrize("side", [0.75, 2.5, 5.0, 16.0])
def test_no_place_is_near_one_that_was_taken_before(side: float) -> None:
    likeness = np.random.default_rng(1).uniform(0, 1, (20, 30)).astype(np.float32)
    places = [(int(c.y), int(c.x)) for c in peaks(likeness, side, height=20, width=30)]
    assert places
    assert all(likeness[place] >= 0.3 for place in places)
    apart = [math.dist(place, other) for place, other in combinations(places, 2)]
    assert min(apart) > 0.3 * side
    allowed = [(row, column) for row, column in np.argwhere(likeness >= 0.3).tolist()]
    assert side > 3 or len(places) == len(allowed)  # then each lies apart from its neighbours


@pytest.mark.slow
def test_places_on_a_large_photo_are_looked_through_in_seconds() -> None:
    """As of 12 megapixels and an example of 20 pixels, where next to nothing is alike."""
    noise = np.random.default_rng(0).normal(0.05, 0.05, (375, 500)).astype(np.float32)
    started = time.monotonic()
    assert not list(peaks(np.minimum(noise, 0.29), 2.5, height=3000, width=4000))
    assert time.monotonic() - started < 30  # 3 here; it took more than 90
