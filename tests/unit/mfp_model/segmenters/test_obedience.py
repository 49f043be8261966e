"""A click does what it says: by whatever segmenter, on whatever photo, in whatever order."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mfp_model.finding.inpainters import OpenCvInpainter
from mfp_model.finding.layers import LayersConfig
from mfp_model.graph_cut.constants import GraphCutConfig
from mfp_model.prompts import Box, Click
from mfp_model.segmenter import Segmenter
from mfp_model.segmenters.graph_cut import GraphCutSegmenter
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.segmenters.obedience import obeyed
from mfp_model.segmenters.refined import RefinedSegmenter
from mfp_model.segmenters.segment_and_inpaint import InpaintingSegmenter

_CLOSE_PX = 12  # of two clicks so close to each other the newer counts
_CLICKS = st.lists(
    st.tuples(st.integers(0, 140), st.integers(0, 90), st.booleans()), min_size=1, max_size=6
)


def _clicks(drawn: list[tuple[int, int, bool]]) -> list[Click]:
    return [Click(x=x, y=y, is_positive=sign) for x, y, sign in drawn]


def _pixel(mask: NDArray[np.bool_], click: Click) -> bool:
    height, width = mask.shape
    return bool(mask[min(int(click.y), height - 1), min(int(click.x), width - 1)])


def _check(mask: NDArray[np.bool_], clicks: list[Click]) -> None:
    assert _pixel(mask, clicks[-1]) == clicks[-1].is_positive
    for index, click in enumerate(clicks):
        later = clicks[index + 1 :]
        if all(
            other.is_positive == click.is_positive
            or np.hypot(other.x - click.x, other.y - click.y) > _CLOSE_PX
            for other in later
        ):
            assert _pixel(mask, click) == click.is_positive, click


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(drawn=_CLICKS)
def test_every_click_is_obeyed(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8], drawn: list[tuple[int, int, bool]]
) -> None:
    clicks = _clicks(drawn)
    for n_clicks in range(1, len(clicks) + 1):
        _check(tiny_segmenter.segment(photo, clicks[:n_clicks]).mask, clicks[:n_clicks])


@settings(max_examples=15, deadline=None)
@example(drawn=[(0, 15, True), (0, 4, False), (0, 61, True)], left=0, top=0)
@given(drawn=_CLICKS, left=st.integers(0, 100), top=st.integers(0, 60))
def test_clicks_are_obeyed_behind_a_box_and_on_a_mask_that_is_edited(
    tiny_segmenter: MfpSegmenter,
    photo: NDArray[np.uint8],
    drawn: list[tuple[int, int, bool]],
    left: int,
    top: int,
) -> None:
    clicks = _clicks(drawn)
    box = Box(left=left, top=top, right=left + 30, bottom=top + 25)
    _check(tiny_segmenter.segment(photo, [box, *clicks]).mask, clicks)
    prior = np.zeros(photo.shape[:2], dtype=np.bool_)
    prior[top : top + 25, left : left + 30] = True
    mask = tiny_segmenter.segment(photo, clicks[:1], prior).mask
    assert _pixel(mask, clicks[0]) == clicks[0].is_positive


@pytest.mark.parametrize("x", [0, 1, 70, 139, 140])
@pytest.mark.parametrize("y", [0, 45, 90])
def test_clicks_on_the_border_are_obeyed(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8], x: int, y: int
) -> None:
    for others in ([], [Click(x=70, y=45)], [Click(x=70, y=45, is_positive=False)]):
        for is_positive in (True, False):
            clicks = [*others, Click(x=x, y=y, is_positive=is_positive)]
            _check(tiny_segmenter.segment(photo, clicks).mask, clicks[-1:])


def _all_around(inner: Segmenter) -> list[Segmenter]:
    return [
        RefinedSegmenter(inner),
        InpaintingSegmenter(inner, OpenCvInpainter("telea"), LayersConfig(max_rounds=0)),
        GraphCutSegmenter.load(GraphCutConfig.default("rgb"), checkpoint=None, device="cpu"),
    ]


@pytest.mark.parametrize("index", range(3))
def test_the_other_segmenters_obey_as_well(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8], index: int
) -> None:
    segmenter = _all_around(tiny_segmenter)[index]
    random = np.random.default_rng(index)
    for _ in range(8):
        clicks = [Click(x=float(random.uniform(0, 140)), y=float(random.uniform(0, 90)))]
        for _ in range(2):
            mask = segmenter.segment(photo, clicks).mask
            _check(mask, clicks)
            row, column = (int(x) for x in (random.integers(0, 90), random.integers(0, 140)))
            clicks.append(
                Click(x=column + 0.5, y=row + 0.5, is_positive=not bool(mask[row, column]))
            )


def test_the_part_under_a_disobeyed_click_goes_with_it_and_nothing_else() -> None:
    crop = np.full((96, 96, 3), 90, dtype=np.uint8)
    crop[40:50, 40:50] = (200, 40, 40)
    values = np.zeros((96, 96), dtype=np.float32)
    changed = obeyed(values, crop, [(44.5, 44.5, True)]) > 0.5
    assert changed[42:48, 42:48].all()
    assert not changed[:39].any()
    assert not changed[:, 51:].any()
    assert obeyed(values, crop, [(44.5, 44.5, False)]) is values


def test_an_answer_to_a_positive_click_is_never_empty(tiny_segmenter: MfpSegmenter) -> None:
    for shape in ((1, 1), (2, 200), (64, 64), (700, 500)):
        image = np.zeros((*shape, 3), dtype=np.uint8)
        assert tiny_segmenter.segment(image, [Click(x=shape[1] / 2, y=shape[0] / 2)]).mask.any()
