import numpy as np
import pytest

from mfp_model import Click, Prediction
from mfp_model.frames.layered_map import LayeredMap
from mfp_model.frames.window import Window, whole
from mfp_model.segmenters.zoom import fits, next_zoom, zoom_window


def _layers(window: Window) -> LayeredMap:
    values = np.zeros((100, 100), np.float32)
    values[window.top // 10 : window.bottom // 10, window.left // 10 : window.right // 10] = 1
    return LayeredMap(height=1000, width=1000).pasted(whole(1000, 1000), values)


def test_the_zoom_holds_mask_positive_clicks_and_newest_click() -> None:
    layers = _layers(Window(left=400, top=400, right=600, bottom=500))
    assert zoom_window(layers, (Click(x=500, y=450),)) == Window(
        left=360, top=380, right=640, bottom=520
    )
    far = (Click(x=500, y=450), Click(x=900, y=450, is_positive=False))
    window = zoom_window(layers, far)
    assert window is not None
    assert window.left <= 900 < window.right


def test_an_empty_mask_is_looked_at_as_a_whole() -> None:
    assert zoom_window(LayeredMap(height=10, width=10), (Click(x=1, y=1),)) is None


def test_the_whole_image_serves_a_large_object() -> None:
    layers = _layers(Window(left=100, top=100, right=900, bottom=900))
    wanted = zoom_window(layers, (Click(x=500, y=500),))
    assert wanted is not None
    assert fits(whole(1000, 1000), wanted)


def _next(mask: Window, kept: Window, *clicks: Click) -> Window | None:
    previous = Prediction(prompts=(), layers=_layers(mask), zoom=kept)
    return next_zoom(previous, clicks)


def test_a_box_is_kept_while_it_holds_all_clicks_and_fits() -> None:
    mask = Window(left=400, top=400, right=600, bottom=600)
    kept = Window(left=350, top=350, right=650, bottom=650)
    inside, outside = Click(x=500, y=500), Click(x=700, y=500, is_positive=False)
    assert _next(mask, kept, inside) == kept
    assert _next(mask, kept, inside, outside) != kept
    assert _next(mask, Window(left=0, top=0, right=1000, bottom=1000), inside) != kept


@pytest.mark.parametrize(("x", "y"), [(650, 500), (500, 650), (650, 650)])
def test_a_click_on_the_first_pixel_behind_a_box_is_not_in_it(x: int, y: int) -> None:
    mask = Window(left=400, top=400, right=600, bottom=600)
    kept = Window(left=350, top=350, right=650, bottom=650)
    inside, newest = Click(x=500, y=500), Click(x=x, y=y, is_positive=False)
    assert _next(mask, kept, inside, newest) != kept
    assert _next(mask, kept, inside, Click(x=x - 0.1, y=y - 0.1, is_positive=False)) == kept


def test_the_images_last_edge_belongs_to_its_last_pixels() -> None:
    mask = Window(left=700, top=700, right=1000, bottom=1000)
    kept = Window(left=650, top=650, right=1000, bottom=1000)
    assert _next(mask, kept, Click(x=1000, y=1000)) == kept


def test_a_box_that_cuts_the_mask_is_not_kept() -> None:
    kept = Window(left=400, top=400, right=600, bottom=600)
    window = _next(kept, kept, Click(x=500, y=500))
    assert window == Window(left=360, top=360, right=640, bottom=640)
    at_the_image_edge = Window(left=0, top=400, right=600, bottom=600)
    mask = Window(left=0, top=450, right=500, bottom=550)
    assert _next(mask, at_the_image_edge, Click(x=300, y=500)) == at_the_image_edge
