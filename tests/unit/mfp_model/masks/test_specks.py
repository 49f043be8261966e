import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from mfp_model.masks.rle import stroke_of
from mfp_model.masks.runs import MaskRuns
from mfp_model.masks.specks import remove_specks as remove_specks_of_runs
from mfp_model.prompts import Click


def remove_specks(
    mask: NDArray[np.bool_], clicks: list[Click], *, share: float
) -> NDArray[np.bool_]:
    return remove_specks_of_runs(MaskRuns.of(mask), clicks, share=share).mask()


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


def test_a_click_on_the_far_edge_lies_on_the_last_pixel() -> None:
    mask = np.zeros((100, 120), bool)
    mask[10:70, 10:70] = True
    mask[90:92, 118:] = mask[98:, 100:102] = True
    clicks = [Click(x=120, y=91), Click(x=101, y=100)]
    np.testing.assert_array_equal(remove_specks(mask, clicks, share=0.005), mask)


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
        stroke_of(place, is_positive=is_positive)
        for place, is_positive in zip(painted, (True, False), strict=True)
    ]
    cleaned = remove_specks(mask, clicks, share=0.05)
    assert (cleaned[painted[0]] == mask[painted[0]]).all()
    assert (cleaned[painted[1]] == mask[painted[1]]).all()
    assert cleaned[30, 30]
    assert not cleaned[55, 70]


def _by_pixels(mask: NDArray[np.bool_], clicks: list[Click], *, share: float) -> NDArray[np.bool_]:
    """The same on pixels: parts, and then the parts of what is around inside a wider frame."""
    if share <= 0 or not mask.any():
        return mask
    n_parts, parts = cv2.connectedComponents(mask.astype(np.uint8))
    areas = np.bincount(parts.ravel(), minlength=n_parts).astype(float)
    limit = share * areas[1:].max()
    under = {parts[int(c.y), int(c.x)] for c in clicks if c.is_positive}
    cleaned = mask & np.array([areas[i] >= limit or i in under for i in range(n_parts)])[parts]
    around = np.pad(~cleaned, 1, constant_values=True)
    n_parts, parts = cv2.connectedComponents(around.astype(np.uint8))
    areas = np.bincount(parts.ravel(), minlength=n_parts).astype(float)
    under = {parts[int(c.y) + 1, int(c.x) + 1] for c in clicks if not c.is_positive}
    stays = [areas[i] >= limit or i in under or i == parts[0, 0] for i in range(n_parts)]
    return cleaned | (around & ~np.array(stays)[parts])[1:-1, 1:-1]


@given(
    arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=14)),
    st.lists(st.tuples(st.floats(0, 0.99), st.floats(0, 0.99), st.booleans()), max_size=4),
    st.sampled_from([0.0, 0.1, 0.3, 1.0]),
)
def test_runs_and_pixels_lose_the_same_specks(
    mask: NDArray[np.bool_], places: list[tuple[float, float, bool]], share: float
) -> None:
    height, width = mask.shape
    clicks = [Click(x=x * width, y=y * height, is_positive=sign) for x, y, sign in places]
    np.testing.assert_array_equal(
        remove_specks(mask, clicks, share=share), _by_pixels(mask, clicks, share=share)
    )
