"""Rectangles around masks and their IoU, against what follows from single pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from mfp_model.masks.bounds import bounds_of, mask_iou
from mfp_model.masks.runs import MaskRuns

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
