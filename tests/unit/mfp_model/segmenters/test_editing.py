"""A mask that is there already: changed near the clicks, and nowhere else."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from mfp_model.errors import PromptError
from mfp_model.evaluation.edits import as_table, edit_object, score_edits
from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.frames.crops import mask_to_network
from mfp_model.frames.layered_map import LayeredMap
from mfp_model.frames.window import whole
from mfp_model.loading import load_segmenter
from mfp_model.masks.runs import MaskRuns
from mfp_model.masks.specks import remove_new_specks, remove_specks
from mfp_model.prediction import mask_prediction
from mfp_model.prompts import Click
from mfp_model.segmenters.editing import edited, obeying, previous_map
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.segmenters.refined import RefinedSegmenter

ROOT = Path(__file__).parents[4]
_CLICKS = st.lists(
    st.tuples(st.integers(0, 140), st.integers(0, 90), st.booleans()), min_size=1, max_size=3
)


def _clicks(drawn: list[tuple[int, int, bool]]) -> tuple[Click, ...]:
    return tuple(Click(x=x, y=y, is_positive=sign) for x, y, sign in drawn)


@settings(max_examples=15, deadline=None)
@given(drawn=_CLICKS, block=st.tuples(*[st.integers(0, 80)] * 2, *[st.integers(1, 60)] * 2))
def test_going_on_gives_the_bytes_of_starting_over(
    tiny_segmenter: MfpSegmenter,
    photo: NDArray[np.uint8],
    drawn: list[tuple[int, int, bool]],
    block: tuple[int, int, int, int],
) -> None:
    prior = np.zeros(photo.shape[:2], dtype=np.bool_)
    prior[block[0] : block[0] + block[2], block[1] : block[1] + block[3]] = True
    clicks = _clicks(drawn)
    whole_way = tiny_segmenter.segment(photo, clicks, prior)
    step = tiny_segmenter.segment(photo, clicks[:1], prior)
    rest = tiny_segmenter.segment(photo, clicks, step)
    assert rest.mask.tobytes() == whole_way.mask.tobytes()
    assert rest.probability_map.tobytes() == whole_way.probability_map.tobytes()
    assert np.isfinite(rest.probability_map).all()
    assert 0 <= rest.score <= 1


def _answered(
    answer: NDArray[np.bool_], prior: NDArray[np.bool_], click: Click
) -> NDArray[np.bool_]:
    """The mask after a network of the image's size gave this answer."""
    size = len(prior)
    layers = LayeredMap(height=size, width=size)
    layers = layers.pasted(whole(size, size), answer.astype(np.float32))
    newest = (click.x, click.y, click.is_positive)
    mask = edited(MaskRuns.of(prior), layers, whole(size, size), click=newest, n_edits=0)
    return prior if mask is None else mask.mask()


def test_far_from_the_click_the_prior_stays_whatever_the_network_says() -> None:
    prior = np.zeros((96, 96), dtype=np.bool_)
    prior[20:40, 20:40] = True
    answer = np.zeros_like(prior)
    answer[20:40, 20:52] = True  # what was missing
    answer[70:90, 70:90] = True  # and something else
    mask = _answered(answer, prior, Click(x=45, y=30))
    np.testing.assert_array_equal(mask[:60, :60], answer[:60, :60])
    assert not mask[60:, 60:].any()


@pytest.mark.parametrize("sign", [True, False])
def test_a_change_of_the_other_sign_is_not_what_the_click_says(sign: bool) -> None:
    prior = np.zeros((64, 64), dtype=np.bool_)
    prior[20:40, 20:40] = True
    answer = prior.copy()
    answer[25:30, 25:30] = not sign
    if not sign:
        answer[50:55, 5:10] = True
    click = Click(x=27, y=27, is_positive=sign)
    mask = _answered(answer if sign else answer | prior, prior, click)
    np.testing.assert_array_equal(mask, prior)


@given(arrays(bool, (24, 24)), arrays(bool, (24, 24)), st.integers(0, 23), st.integers(0, 23))
def test_a_click_only_adds_or_only_takes_away_what_the_network_says(
    prior: NDArray[np.bool_], answer: NDArray[np.bool_], x: int, y: int
) -> None:
    for sign in (True, False):
        mask = _answered(answer, prior, Click(x=x, y=y, is_positive=sign))
        changed = mask != prior
        np.testing.assert_array_equal(mask[changed], answer[changed])
        assert (mask[changed] == sign).all()


@given(arrays(bool, (30, 40)))
def test_a_binary_mask_is_a_previous_map_that_agrees_with_it(mask: NDArray[np.bool_]) -> None:
    runs, box = MaskRuns.of(mask), whole(30, 40)
    small = mask_to_network(runs, box, 16)
    assert 0 <= small.min() <= small.max() <= 1
    layers = LayeredMap(height=30, width=40)
    np.testing.assert_array_equal(previous_map(layers, runs, box, 16), small)
    looked = layers.pasted(box, np.full((16, 16), 0.7, dtype=np.float32))
    previous = previous_map(looked, runs, box, 16)
    np.testing.assert_array_equal(previous > 0.5, small > 0.5)


def test_a_mask_without_a_pixel_is_no_prior(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8]
) -> None:
    clicks = [Click(x=40, y=40)]
    nothing = np.zeros(photo.shape[:2], dtype=np.bool_)
    from_it = tiny_segmenter.segment(photo, clicks, nothing)
    assert from_it.mask.tobytes() == tiny_segmenter.segment(photo, clicks).mask.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 37), (500, 3)])
def test_odd_sizes_are_edited(tiny_segmenter: MfpSegmenter, size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), dtype=np.uint8)
    full = np.ones(size, dtype=np.bool_)
    clicks = [Click(x=size[1], y=size[0], is_positive=False), Click(x=0, y=0)]
    assert tiny_segmenter.segment(image, clicks, full).mask.shape == size


def test_wrong_priors_are_refused(tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8]) -> None:
    clicks = [Click(x=1, y=1)]
    with pytest.raises(PromptError, match=r"previous bool \[5, 5\]: expected bool"):
        tiny_segmenter.segment(photo, clicks, np.ones((5, 5), dtype=np.bool_))
    with pytest.raises(PromptError, match="expected bool"):
        tiny_segmenter.segment(photo, clicks, np.ones(photo.shape[:2]))  # type: ignore[arg-type]
    other_size = mask_prediction(MaskRuns.of(np.ones((5, 5), dtype=np.bool_)))
    with pytest.raises(PromptError, match=r"of \(5, 5\) pixels"):
        next(tiny_segmenter.rounds(photo, clicks, other_size))
    mask = np.ones(photo.shape[:2], dtype=np.bool_)
    for segmenter in (load_segmenter("graph-cut"), RefinedSegmenter(tiny_segmenter)):
        assert not segmenter.edits
        with pytest.raises(PromptError, match="expected a segmenter that can"):
            segmenter.segment(photo, clicks, mask)


@pytest.mark.parametrize("is_positive", [True, False])
def test_a_click_on_what_is_smaller_than_a_cell_changes_that_alone(is_positive: bool) -> None:
    whole_mask = np.zeros((600, 800), dtype=np.bool_)
    whole_mask[100:500, 100:600] = True
    prior, patch = whole_mask.copy(), np.zeros_like(whole_mask)
    column = 300 if is_positive else 700
    patch[250:254, column : column + 4] = True  # cells have 12.5 by 9.4 pixels
    prior[patch] = prior[250:254, column + 6 : column + 8] = not is_positive
    window = whole(600, 800)
    layers = LayeredMap(height=600, width=800).pasted(
        window, mask_to_network(MaskRuns.of(whole_mask), window, 64)
    )
    click = Click(x=column + 1, y=252, is_positive=is_positive)
    mask = obeying(MaskRuns.of(prior), layers, click).mask()
    np.testing.assert_array_equal(mask ^ prior, patch)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 9)])
def test_clicks_are_obeyed_where_a_pixel_has_many_cells(
    tiny_segmenter: MfpSegmenter, size: tuple[int, int]
) -> None:
    image, prior = np.zeros((*size, 3), np.uint8), np.ones(size, dtype=np.bool_)
    corner = {"x": float(size[1]), "y": 0.0}
    away = tiny_segmenter.segment(image, (Click(**corner, is_positive=False),), prior)
    assert not away.mask[0, -1]
    back = tiny_segmenter.segment(image, (*away.prompts, Click(**corner)), away)
    assert back.mask[0, -1]


def test_new_specks_go_and_old_ones_stay() -> None:
    prior = np.zeros((100, 100), dtype=np.bool_)
    prior[10:70, 10:70] = True
    prior[80, 80] = True  # somebody's work
    prior[30, 30] = False
    mask = prior.copy()
    mask[90, 20] = True
    mask[50, 50] = False
    runs, before = MaskRuns.of(mask), MaskRuns.of(prior)
    np.testing.assert_array_equal(remove_new_specks(runs, before, (), share=0.01).mask(), prior)
    assert not remove_specks(runs, (), share=0.01).mask()[80, 80]


def test_a_small_part_and_a_small_hole_stay_when_the_largest_part_grows() -> None:
    prior = np.zeros((100, 100), dtype=np.bool_)
    prior[10:60, 10:70] = True  # 3000 pixels
    prior[80:85, 80:86] = True  # 30
    prior[30:35, 30:36] = False
    mask = prior.copy()
    mask[60:75, 10:70] = True
    runs, before = MaskRuns.of(mask), MaskRuns.of(prior)
    np.testing.assert_array_equal(remove_new_specks(runs, before, (), share=0.01).mask(), mask)


@pytest.mark.slow
def test_the_shipped_weights_mend_masks_in_fewer_clicks_than_drawing_takes() -> None:
    truth = np.asarray(Image.open(ROOT / "tests" / "data" / "bowl_mask.png")) > 0
    image = np.asarray(Image.open(ROOT / "backend" / "demo" / "photos" / "bowl.jpg").convert("RGB"))
    target = EvaluationObject(
        name="bowl", image=image, truth=np.asfortranarray(truth), valid=np.ones_like(truth)
    )
    segmenter = load_segmenter("mfp", device="cpu", engine="openvino-f32")  # the same everywhere
    scores = score_edits([edit_object(segmenter, target)])
    scratch = scores.pop("from scratch")
    assert len(scores) == 5
    for score in scores.values():
        assert score.miou_at[0] >= score.prior_iou
        assert score.noc["0.90"] <= scratch.noc["0.90"]
    assert as_table(scores).count("\n") == 6
