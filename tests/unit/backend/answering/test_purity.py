"""An answer depends on image, clicks and weights alone, whatever happened before."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from backend.answering.click_store import ClickStore
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import Prediction, mask_prediction
from mfp_model.prompts import Click
from mfp_model.segmenters.mfp import MfpSegmenter

_POSITIONS = st.tuples(st.integers(0, 140), st.integers(0, 90))
_STEPS = st.one_of(
    st.tuples(st.just("click"), _POSITIONS, st.booleans()),
    st.tuples(st.just("undo"), _POSITIONS, st.booleans()),
    st.tuples(st.just("move"), _POSITIONS, st.booleans()),
    st.tuples(st.just("delete first"), _POSITIONS, st.booleans()),
    st.tuples(st.just("evict"), _POSITIONS, st.booleans()),
)


def _changed(
    clicks: tuple[Click, ...], kind: str, position: tuple[int, int], is_positive: bool
) -> tuple[Click, ...]:
    click = Click(x=position[0], y=position[1], is_positive=is_positive or not clicks)
    if kind == "click" or not clicks:
        return (*clicks, click)
    if kind == "undo":
        return clicks[:-1]
    if kind == "delete first":
        return clicks[1:]
    middle = len(clicks) // 2
    return (*clicks[:middle], click, *clicks[middle + 1 :])


def _answer(
    segmenter: MfpSegmenter,
    store: ClickStore,
    image: NDArray[np.uint8],
    clicks: tuple[Click, ...],
    prior: Prediction | None = None,
) -> Prediction:
    start = "photo" if prior is None else "photo edited"
    previous = store.longest_prefix(start, segmenter.version, clicks) or prior
    prediction = previous
    for prediction in segmenter.rounds(image, clicks, previous):
        store.remember(start, segmenter.version, prediction)
    assert prediction is not None
    return prediction


@settings(max_examples=12, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 1), _STEPS), min_size=1, max_size=8))
def test_no_interleaving_of_two_annotators_changes_a_byte(
    tiny_segmenter: MfpSegmenter,
    photo: NDArray[np.uint8],
    steps: list[tuple[int, tuple[str, tuple[int, int], bool]]],
) -> None:
    roomy = ClickStore(max_bytes=10_000_000, max_age_s=60)
    cramped = ClickStore(max_bytes=60_000, max_age_s=60)
    clicks: list[tuple[Click, ...]] = [(), ()]
    mask = np.zeros(photo.shape[:2], dtype=np.bool_)
    mask[20:60, 30:90] = True
    priors = (None, mask_prediction(MaskRuns.of(mask)))  # one of them edits a mask
    for annotator, (kind, position, is_positive) in steps:
        if kind == "evict":
            roomy.clear()
            continue
        clicks[annotator] = _changed(clicks[annotator], kind, position, is_positive)[:4]
        if not clicks[annotator]:
            continue
        prior = priors[annotator]
        expected = tiny_segmenter.segment(photo, clicks[annotator], prior)
        for store in (roomy, cramped):
            answer = _answer(tiny_segmenter, store, photo, clicks[annotator], prior)
            assert answer.mask.tobytes() == expected.mask.tobytes()
            assert answer.probability_map.tobytes() == expected.probability_map.tobytes()
        assert cramped.n_bytes <= 60_000


def test_a_new_click_costs_one_round_and_an_undo_none() -> None:
    from tests.fakes import DiskSegmenter

    segmenter, store = DiskSegmenter(), ClickStore(max_bytes=10_000_000, max_age_s=60)
    image = np.zeros((30, 30, 3), np.uint8)
    clicks = tuple(Click(x=i, y=i) for i in range(5))

    def answer(wanted: tuple[Click, ...]) -> int:
        before = segmenter.n_rounds
        _answer(segmenter, store, image, wanted)  # type: ignore[arg-type]
        return segmenter.n_rounds - before

    assert answer(clicks[:3]) == 3
    assert answer(clicks[:4]) == 1
    assert answer(clicks[:2]) == 0
    assert answer((*clicks[:2], clicks[4])) == 1  # the third point was moved
    store.clear()
    assert answer(clicks[:4]) == 4
