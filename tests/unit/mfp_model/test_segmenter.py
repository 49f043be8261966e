from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import mfp_model
from mfp_model import Click, load_segmenter
from mfp_model.errors import CheckpointError, ConfigError, ImageError, PromptError
from mfp_model.masks.rle import stroke_of
from mfp_model.prompts import Box
from mfp_model.segmenters.mfp import MfpSegmenter

_BOX = Box(left=1, top=1, right=9, bottom=9)
_CLICKS = st.lists(
    st.builds(
        lambda x, y, p: Click(x=x, y=y, is_positive=p),
        st.floats(0, 140),
        st.floats(0, 90),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=12, deadline=None)
@given(clicks=_CLICKS, split=st.integers(0, 5))
def test_going_on_from_a_previous_prediction_gives_the_same_bytes_as_starting_over(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8], clicks: list[Click], split: int
) -> None:
    at_once = tiny_segmenter.segment(photo, clicks)
    previous = tiny_segmenter.segment(photo, clicks[:split]) if split else None
    in_two = tiny_segmenter.segment(photo, clicks, previous)
    assert at_once.probability_map.tobytes() == in_two.probability_map.tobytes()
    assert at_once.zoom == in_two.zoom
    assert at_once.score == in_two.score


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (700, 2), (33, 47), (3000, 4000)])
def test_any_size_of_image_gets_a_mask_of_that_size(
    tiny_segmenter: MfpSegmenter, shape: tuple[int, int]
) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    clicks = [Click(x=shape[1], y=shape[0]), Click(x=0, y=0, is_positive=False)]
    prediction = tiny_segmenter.segment(image, clicks)
    assert prediction.mask.shape == shape
    assert prediction.mask.dtype == np.bool_
    assert prediction.probability_map.dtype == np.float32
    assert np.isfinite(prediction.probability_map).all()
    assert prediction.n_bytes < 1_000_000


def test_no_click_is_an_empty_prediction(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8]
) -> None:
    prediction = tiny_segmenter.segment(photo, [])
    assert not prediction.mask.any()
    assert prediction.score == 0


def test_bad_input_is_refused(tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="expected uint8"):
        tiny_segmenter.segment(photo.astype(np.float32), [Click(x=1, y=1)])  # type: ignore[arg-type]
    with pytest.raises(ImageError, match=r"\[90, 140\]"):
        tiny_segmenter.segment(photo[..., 0], [Click(x=1, y=1)])
    with pytest.raises(ImageError, match=r"image list: expected a numpy array"):
        tiny_segmenter.segment(photo.tolist(), [Click(x=1, y=1)])
    with pytest.raises(PromptError, match="outside"):
        tiny_segmenter.segment(photo, [Click(x=141, y=1)])
    with pytest.raises(PromptError, match="a box: .* only click or stroke"):
        load_segmenter("graph-cut").segment(photo, [_BOX])
    with pytest.raises(PromptError, match="box right=9 outside image of width 8"):
        tiny_segmenter.segment(photo[:, :8], [_BOX])
    with pytest.raises(PromptError, match="first prompt"):
        tiny_segmenter.segment(photo, [Click(x=1, y=1), _BOX])
    with pytest.raises(PromptError, match="no mask to be edited"):
        tiny_segmenter.segment(photo, [_BOX], np.ones(photo.shape[:2], dtype=np.bool_))
    previous = tiny_segmenter.segment(photo, [Click(x=1, y=1)])
    with pytest.raises(PromptError, match="not the first"):
        tiny_segmenter.segment(photo, [Click(x=2, y=1)], previous)
    for mask in (torch.ones(photo.shape[:2], dtype=torch.bool), [[True]], previous.runs):
        with pytest.raises(PromptError, match=r"^previous .*: expected a Prediction, or in `seg"):
            tiny_segmenter.segment(photo, [Click(x=2, y=1)], mask)  # type: ignore[arg-type]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected one of mfp"):
        load_segmenter("magic")
    with pytest.raises(ConfigError, match="expected auto"):
        load_segmenter("mfp", device="abacus")
    with pytest.raises(ConfigError, match="device None: expected auto"):
        load_segmenter("mfp", device=None)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="no such file"):
        load_segmenter("mfp", checkpoint=Path("/nowhere"))
    with pytest.raises(CheckpointError, match="no such file"):
        load_segmenter("mfp", checkpoint="/nowhere")
    for name in ("mfp", "graph-cut"):
        with pytest.raises(ConfigError, match="engine='steam': expected one of auto"):
            load_segmenter(name, engine="steam")


def test_the_package_names_what_it_offers() -> None:
    assert dir(mfp_model) == sorted(mfp_model.__all__)
    for name in mfp_model.__all__:
        assert getattr(mfp_model, name).__name__ == name


def test_a_network_takes_a_stroke_for_a_click_in_its_middle(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8]
) -> None:
    painted = np.zeros(photo.shape[:2], dtype=np.bool_)
    painted[10:20, 10:60] = True
    stroke = stroke_of(painted)
    by_stroke = tiny_segmenter.segment(photo, [stroke])
    by_click = tiny_segmenter.segment(photo, [Click(x=stroke.x, y=stroke.y)])
    assert by_stroke.probability_map.tobytes() == by_click.probability_map.tobytes()
    assert by_stroke.prompts == (stroke,)
