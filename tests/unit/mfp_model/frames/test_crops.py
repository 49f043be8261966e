import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfp_model.frames.crops import (
    box_to_network,
    clicks_to_network,
    crop_to_network,
    mask_to_network,
)
from mfp_model.frames.layered_map import LayeredMap
from mfp_model.frames.window import Window, whole
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Box, Click


def test_corners_of_a_box_are_corners_of_the_network_frame() -> None:
    window = Window(left=10, top=20, right=110, bottom=70)
    clicks = [Click(x=10, y=20), Click(x=110, y=70, is_positive=False)]
    assert clicks_to_network(clicks, window, 64) == [(0, 0, True), (64, 64, False)]


def test_a_crop_of_the_networks_size_is_copied() -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3)).astype(np.uint8)
    crop = crop_to_network(image, Window(left=5, top=6, right=69, bottom=70), 64)
    np.testing.assert_array_equal(crop, image[6:70, 5:69])


@given(st.integers(1, 200), st.integers(1, 200))
def test_any_size_of_image_becomes_the_networks_and_back(height: int, width: int) -> None:
    image = np.full((height, width, 3), 77, np.uint8)
    assert (crop_to_network(image, whole(height, width), 64) == 77).all()
    values = np.full((64, 64), 0.25, np.float32)
    composed = LayeredMap(height=height, width=width).pasted(whole(height, width), values).full()
    assert composed.shape == (height, width)
    np.testing.assert_allclose(composed, 0.25)


@given(st.integers(150, 325), st.integers(150, 325))
def test_what_is_halved_first_stays_where_it_was(height: int, width: int) -> None:
    columns = np.linspace(0, 255, width, dtype=np.float32)
    image = np.broadcast_to(columns[None, :, None], (height, width, 3)).astype(np.uint8)
    crop = crop_to_network(image, whole(height, width), 16).astype(np.float32)
    expected = 255 * (np.arange(16) + 0.5) / 16
    pixel = 255 / 16
    rounding = 1
    assert np.abs(crop[:, :, 0] - expected).max() < 0.7 * pixel + rounding


def test_behind_its_border_the_image_is_mirrored() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    crop = crop_to_network(image, Window(left=-2, top=0, right=4, bottom=6), 6)
    np.testing.assert_array_equal(crop[:4, 2:], image[:, :4])
    np.testing.assert_array_equal(crop[:4, :2], image[:, [2, 1]])
    np.testing.assert_array_equal(crop[4:, 2:], image[[2, 1], :4])
    pixel = np.full((1, 1, 3), 7, dtype=np.uint8)
    assert (crop_to_network(pixel, Window(left=-1, top=-1, right=2, bottom=2), 8) == 7).all()


@pytest.mark.parametrize(("down", "across"), [(1, 3), (3, 1), (2, 4)])
def test_each_cell_has_its_share_of_a_mask(down: int, across: int) -> None:
    mask = np.random.default_rng(2).random((9 + 16 * down, 5 + 16 * across)) > 0.5
    window = Window(left=5, top=9, right=5 + 16 * across, bottom=9 + 16 * down)
    shares = mask[9:, 5:].reshape(16, down, 16, across).mean(axis=(1, 3))
    cells = mask_to_network(MaskRuns.of(mask), window, 16)
    np.testing.assert_allclose(cells, shares, atol=1 / 255)


@given(st.floats(0, 140), st.floats(0, 90), st.floats(0.01, 140), st.floats(0.01, 90))
def test_a_box_covers_at_least_one_cell(x: float, y: float, width: float, height: float) -> None:
    box = Box(left=x, top=y, right=x + width, bottom=y + height)
    window = Window(left=-10, top=0, right=140, bottom=90)
    cells = box_to_network(box, window, 64)
    assert cells.shape == (64, 64)
    assert set(np.unique(cells)) <= {0, 1}
    assert cells.sum() >= 1


def test_a_box_covers_its_share_of_the_window() -> None:
    window = Window(left=10, top=20, right=110, bottom=120)
    cells = box_to_network(Box(left=35, top=20, right=85, bottom=70), window, 64)
    assert cells[:32, 16:48].all()
    assert cells.sum() == 32 * 32
