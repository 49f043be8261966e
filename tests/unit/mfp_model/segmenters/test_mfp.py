import numpy as np
import pytest
from numpy.typing import NDArray

from mfp_model.frames.window import Window, whole
from mfp_model.prompts import Box, Click
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.segmenters.zoom import box_window, first_windows, over_border


def test_a_box_is_answered_alone_and_clicks_go_on_from_there(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8]
) -> None:
    box, click = Box(left=25, top=15, right=85, bottom=65), Click(x=110, y=60, is_positive=False)
    first = tiny_segmenter.segment(photo, [box])
    assert first.prompts == (box,)
    assert first.zoom == box_window(box, height=90, width=140)
    both = tiny_segmenter.segment(photo, [box, click], first)
    again = tiny_segmenter.segment(photo, [box, click])
    assert both.probability_map.tobytes() == again.probability_map.tobytes()
    assert both.probability_map.tobytes() != first.probability_map.tobytes()


def test_another_box_gets_another_answer(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8]
) -> None:
    boxes = [Box(left=left, top=15, right=90, bottom=65) for left in (25, 45)]
    one, other = (tiny_segmenter.segment(photo, [box]).probability_map for box in boxes)
    assert one.tobytes() != other.tobytes()


def test_the_window_of_a_box_holds_it_and_lies_in_the_image() -> None:
    box = Box(left=100.5, top=200, right=300, bottom=260.2)
    window = box_window(box, height=400, width=500)
    assert window.covers(Window(left=100, top=200, right=300, bottom=261))
    assert whole(400, 500).covers(window)
    edge = Box(left=499.5, top=0, right=500, bottom=400)
    assert whole(400, 500).covers(box_window(edge, height=400, width=500))


def test_first_windows_shrink_around_the_click_inside_the_image() -> None:
    windows = first_windows(Click(x=1500, y=10), height=1200, width=1600)
    assert windows[0] == whole(1200, 1600)
    assert [window.width for window in windows] == [1600, 800, 400, 200]
    assert [window.height for window in windows] == [1200, 600, 300, 150]
    assert all(window.has(Click(x=1500, y=10)) for window in windows)
    assert all(whole(1200, 1600).covers(window) for window in windows)
    assert first_windows(Click(x=1, y=1), height=90, width=60) == (whole(90, 60),)


def test_a_window_reaches_over_the_border_that_was_clicked_on() -> None:
    frame = whole(400, 800)
    inside = over_border(frame, [Click(x=400, y=200)], height=400, width=800)
    assert inside == frame
    left = over_border(frame, [Click(x=2, y=200)], height=400, width=800)
    assert left == Window(left=-100, top=0, right=800, bottom=400)
    corner = over_border(frame, [Click(x=800, y=400)], height=400, width=800)
    assert corner == Window(left=0, top=0, right=900, bottom=450)
    zoomed = Window(left=200, top=100, right=400, bottom=300)
    assert over_border(zoomed, [Click(x=200, y=100)], height=400, width=800) == zoomed


@pytest.mark.parametrize("prompts", [[Box(left=3, top=3, right=9, bottom=9)], [Click(x=5, y=5)]])
def test_the_estimated_iou_is_the_score(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8], prompts: list[Box | Click]
) -> None:
    prediction = tiny_segmenter.segment(photo, prompts)
    assert prediction.iou is not None
    assert 0 <= prediction.score == prediction.iou <= 1
