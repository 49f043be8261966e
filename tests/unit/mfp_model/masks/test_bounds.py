"""Rectangles around masks and their IoU, against what follows from single pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from mfp_model.frames.window import Window
from mfp_model.masks.bounds import Bounds, bounds_of, mask_iou, rectangle_iou
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Box

_PAIRS = array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(
    lambda shape: st.tuples(*[arrays(bool, shape)] * 3)
)


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_the_rectangle_is_the_smallest_that_holds_every_pixel(mask: NDArray[np.bool_]) -> None:
    rows, columns = np.nonzero(mask)
    bounds = bounds_of(mask)
    for same in (np.asfortranarray(mask), mask.astype(np.uint8), np.repeat(mask, 2, 1)[:, ::2]):
        assert bounds_of(same) == bounds
    assert MaskRuns.of(mask).bounds() == bounds
    if not rows.size:
        assert bounds is None
        return
    assert bounds == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert mask[bounds.place].shape == (bounds.height, bounds.width)
    assert mask[bounds.place].sum() == mask.sum()


@given(_PAIRS)
def test_the_iou_counts_pixels_where_they_are_valid(
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]],
) -> None:
    first, second, valid = masks
    pixels = list(zip(first[valid], second[valid], strict=True))
    either = sum(left or right for left, right in pixels)
    expected = sum(left and right for left, right in pixels) / either if either else 1.0
    assert mask_iou(first, second, valid) == pytest.approx(expected)
    everywhere = np.ones_like(valid)
    assert mask_iou(first, second) == mask_iou(first, second, everywhere)
    assert MaskRuns.of(first).iou(MaskRuns.of(second)) == pytest.approx(mask_iou(first, second))


_SIDE = st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda ends: ends[0] < ends[1])


@given(across=st.tuples(_SIDE, _SIDE), down=st.tuples(_SIDE, _SIDE))
def test_rectangles_of_all_kinds_share_as_many_pixels_as_masks_of_them(
    across: tuple[tuple[int, int], tuple[int, int]], down: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    masks = np.zeros((2, 12, 12), dtype=np.bool_)
    bounds = [Bounds(x[0], y[0], x[1], y[1]) for x, y in zip(across, down, strict=True)]
    for mask, around in zip(masks, bounds, strict=True):
        mask[around.place] = True
    first, second = bounds
    windows = [Window(**around._asdict()) for around in bounds]
    expected = mask_iou(*masks)
    assert rectangle_iou(first, second) == rectangle_iou(second, first) == expected
    assert rectangle_iou(*windows) == rectangle_iou(first, second.box) == expected


def test_a_box_may_end_within_a_pixel() -> None:
    box = Box(left=2.5, top=1, right=6.5, bottom=3)
    assert rectangle_iou(Bounds(0, 0, 4, 4), box) == 3 / 21
