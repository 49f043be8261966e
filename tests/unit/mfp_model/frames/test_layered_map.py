import numpy as np

from mfp_model.frames.layered_map import LayeredMap
from mfp_model.frames.thresholding import runs_above
from mfp_model.frames.window import Window, whole


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


def test_bounds_have_all_pixels_that_a_cell_lies_on() -> None:
    cells = np.zeros((3, 3), np.float32)
    cells[1, 1] = 1
    layered = LayeredMap(height=10, width=10).pasted(whole(10, 10), cells)
    assert layered.bounds_above(0.5) == Window(left=3, top=3, right=7, bottom=7)


def test_what_a_window_shows_behind_the_images_border_is_left_out() -> None:
    values = np.zeros((12, 12), np.float32)
    values[:, 3:9] = 0.9
    window = Window(left=-40, top=-20, right=80, bottom=100)
    layered = LayeredMap(height=60, width=50).pasted(window, values)
    full = layered.full()
    assert full.shape == (60, 50)
    assert (full > 0.5).mean() > 0.8
    np.testing.assert_array_equal(runs_above(layered, 0.5).mask(), full > 0.5)
    bounds = layered.bounds_above(0.5)
    assert bounds is not None
    assert whole(60, 50).covers(bounds)
