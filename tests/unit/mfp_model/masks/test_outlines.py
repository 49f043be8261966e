"""Outlines that tools which fill whole pixels fill to the very same mask."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mfp_model.masks.bounds import mask_iou
from mfp_model.masks.outlines import filled, pixel_outlines

_SIZES = st.tuples(st.integers(1, 24), st.integers(1, 24))


@given(_SIZES.flatmap(lambda size: arrays(np.bool_, size)), st.booleans())
@settings(max_examples=150, deadline=None)
def test_holes_parts_and_single_pixels_are_filled_to_the_same_mask(
    mask: NDArray[np.bool_], is_rounded: bool
) -> None:
    outlines = pixel_outlines(mask, max_error_px=0)
    height, width = mask.shape
    read = [np.round(outline) if is_rounded else outline for outline in outlines]
    np.testing.assert_array_equal(filled(read, height=height, width=width), mask)
    assert all(len(outline) >= 3 for outline in outlines)


def test_a_square_is_outlined_from_its_first_to_its_last_pixels() -> None:
    mask = np.zeros((3, 4), np.bool_)
    mask[:2, 1:3] = True
    (outline,) = pixel_outlines(mask, max_error_px=0)
    corners = [[1.05, 0.05], [1.05, 1.45], [2.45, 0.05], [2.45, 1.45]]
    np.testing.assert_allclose(sorted(outline.tolist()), corners)


@pytest.mark.parametrize("error_px", [0.5, 1.0])
def test_fewer_corners_leave_the_mask_nearly_as_it_was(error_px: float) -> None:
    canvas = np.zeros((200, 300), np.uint8)
    cv2.ellipse(canvas, (150, 100), (120, 70), 20, 0, 360, 1, -1)
    (exact,) = pixel_outlines(canvas > 0, max_error_px=0)
    (fewer,) = pixel_outlines(canvas > 0, max_error_px=error_px)
    assert len(fewer) < len(exact)
    assert mask_iou(filled([fewer], height=200, width=300), canvas > 0) > 0.99
