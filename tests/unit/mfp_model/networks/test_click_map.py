import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from mfp_model.networks.click_map import click_tensor, draw_click_maps

_EIGHTH = st.integers(-64, 400).map(lambda eighths: eighths / 8)  # exact in single precision
_CLICK = st.tuples(_EIGHTH, _EIGHTH, st.booleans())


def test_a_click_draws_a_disk_of_81_pixels_in_its_own_channel() -> None:
    maps = draw_click_maps(click_tensor([[(20, 10, False)]]), height=30, width=40)
    assert maps.shape == (1, 2, 30, 40)
    assert maps[0, 0].sum() == 0
    assert maps[0, 1].sum() == 81
    assert maps[0, 1, 10, 25] == 1
    assert maps[0, 1, 10, 26] == 0


@given(st.lists(st.lists(_CLICK, max_size=5), min_size=1, max_size=3))
def test_every_pixel_within_the_radius_is_drawn_and_no_other(
    sequences: list[list[tuple[float, float, bool]]],
) -> None:
    clicks = click_tensor(sequences)
    maps = draw_click_maps(clicks, height=32, width=42).numpy()
    rows, columns = np.mgrid[0:32, 0:42]
    for sample, drawn in zip(clicks.numpy(), maps, strict=True):
        expected = np.zeros((2, 32, 42), np.float32)
        for x, y, sign in sample:
            if sign:
                near = (columns - x) ** 2 + (rows - y) ** 2 <= np.float32(25)
                expected[0 if sign > 0 else 1][near] = 1
        np.testing.assert_array_equal(drawn, expected)


def test_no_click_draws_nothing() -> None:
    assert click_tensor([[]]).shape == (1, 1, 3)
    assert draw_click_maps(click_tensor([[], []]), height=8, width=8).sum() == 0


def test_dtype_is_single_precision() -> None:
    assert draw_click_maps(click_tensor([[(1, 1, True)]]), height=4, width=4).dtype == torch.float32
