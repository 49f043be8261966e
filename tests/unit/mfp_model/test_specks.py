import numpy as np
from numpy.typing import NDArray

from mfp_model.clicks import Click
from mfp_model.specks import remove_specks


def _mask() -> NDArray[np.bool_]:
    mask = np.zeros((100, 120), bool)
    mask[10:70, 10:70] = True  # 3600 pixels
    mask[30:32, 30:32] = False  # a hole of 4
    mask[90:92, 100:103] = True  # a speck of 6
    return mask


def test_small_parts_and_small_holes_go() -> None:
    cleaned = remove_specks(_mask(), [Click(x=20, y=20)], share=0.005)
    assert cleaned.sum() == 3600
    assert cleaned[30, 30]


def test_clicked_ones_stay() -> None:
    clicks = [Click(x=20, y=20), Click(x=101.5, y=90.5), Click(x=30.5, y=31, is_positive=False)]
    np.testing.assert_array_equal(remove_specks(_mask(), clicks, share=0.005), _mask())


def test_share_zero_and_empty_masks_change_nothing() -> None:
    np.testing.assert_array_equal(remove_specks(_mask(), [], share=0), _mask())
    empty = np.zeros((1, 1), bool)
    np.testing.assert_array_equal(remove_specks(empty, [], share=0.1), empty)


def test_background_that_the_mask_encloses_with_the_border_is_not_filled() -> None:
    mask = np.ones((50, 50), bool)
    mask[:40, :40] = False
    np.testing.assert_array_equal(remove_specks(mask, [], share=0.5), mask)
