import numpy as np
from numpy.typing import NDArray

from mfp_model.clicks import Click, Stroke
from mfp_model.rle import encode_mask
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


def test_what_was_painted_stays_as_it_was() -> None:
    mask = np.zeros((60, 80), dtype=np.bool_)
    mask[10:50, 10:50] = True
    mask[20, 20:30] = mask[30, 30] = False
    mask[5, 70:74] = mask[55, 70] = True
    painted = [np.zeros_like(mask), np.zeros_like(mask)]
    painted[0][5, 66:78] = True
    painted[1][20, 15:40] = True
    clicks = [
        Click(
            x=1,
            y=1,
            is_positive=is_positive,
            stroke=Stroke(height=60, width=80, counts=encode_mask(place)["counts"]),
        )
        for place, is_positive in zip(painted, (True, False), strict=True)
    ]
    cleaned = remove_specks(mask, clicks, share=0.05)
    assert (cleaned[painted[0]] == mask[painted[0]]).all()
    assert (cleaned[painted[1]] == mask[painted[1]]).all()
    assert cleaned[30, 30]
    assert not cleaned[55, 70]
