import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mfp_model.frames.transforms import (
    LayeredMap,
    Window,
    clicks_to_network,
    crop_to_network,
    whole,
)
from mfp_model.prompts import Click


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


def test_the_same_box_comes_back_unchanged() -> None:
    values = np.random.default_rng(1).random((32, 32)).astype(np.float32)
    window = Window(left=3, top=4, right=50, bottom=60)
    layered = LayeredMap(height=70, width=80).pasted(window, values)
    np.testing.assert_array_equal(layered.resampled(window, 32), values)


def test_resampling_another_box_agrees_with_the_full_map() -> None:
    rows, columns = np.mgrid[0:64, 0:64] / 64
    layered = LayeredMap(height=128, width=128).pasted(
        whole(128, 128), (rows * columns).astype("f4")
    )
    window = Window(left=32, top=16, right=96, bottom=80)
    expected = layered.full()[16:80, 32:96]
    np.testing.assert_allclose(layered.resampled(window, 64), expected, atol=1e-4)


def test_a_layer_that_is_hidden_is_dropped_and_one_that_shows_is_kept() -> None:
    ones = np.ones((8, 8), np.float32)
    layered = LayeredMap(height=100, width=100).pasted(whole(100, 100), ones)
    layered = layered.pasted(Window(left=10, top=10, right=50, bottom=50), ones * 0.5)
    layered = layered.pasted(Window(left=0, top=0, right=60, bottom=60), ones * 0.2)
    assert len(layered.layers) == 2
    assert layered.full()[20, 20] == np.float32(0.2)
    assert layered.full()[80, 80] == 1


def test_bounds_do_not_count_what_a_higher_layer_hides() -> None:
    bottom = np.zeros((100, 100), np.float32)
    bottom[10:20, 10:20] = 1
    layered = LayeredMap(height=100, width=100).pasted(whole(100, 100), bottom)
    assert layered.bounds_above(0.5) == Window(left=10, top=10, right=20, bottom=20)
    hidden = layered.pasted(
        Window(left=0, top=0, right=50, bottom=50), np.zeros((8, 8), np.float32)
    )
    assert hidden.bounds_above(0.5) is None


@given(st.integers(600, 1300), st.integers(600, 1300))
def test_what_is_halved_first_stays_where_it_was(height: int, width: int) -> None:
    columns = np.linspace(0, 255, width, dtype=np.float32)
    image = np.broadcast_to(columns[None, :, None], (height, width, 3)).astype(np.uint8)
    crop = crop_to_network(image, whole(height, width), 64).astype(np.float32)
    expected = 255 * (np.arange(64) + 0.5) / 64
    pixel = 255 / 64
    rounding = 1
    assert np.abs(crop[:, :, 0] - expected).max() < 0.7 * pixel + rounding
