from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfp_model.checkpoints.checkpoint import Checkpoint
from mfp_model.engines.engine import Engine
from mfp_model.frames.crops import crop_to_network
from mfp_model.frames.window import Window, whole
from mfp_model.networks.network import Answer
from mfp_model.prompts import Box, Click
from mfp_model.segmenters import window_round
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.segmenters.zoom import box_window, over_border


class _Counting:
    """An engine whose passes are counted."""

    def __init__(self, engine: Engine, call: Callable[..., Answer]) -> None:
        self.config, self.uses_maps = engine.config, engine.uses_maps
        self.estimates_iou, self._call = engine.estimates_iou, call

    def __call__(self, *given: Tensor) -> Answer:
        return self._call(*given)


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
    first, second = (tiny_segmenter.segment(photo, [box]).probability_map for box in boxes)
    assert first.tobytes() != second.tobytes()


def test_the_window_of_a_box_holds_it_and_lies_in_the_image() -> None:
    box = Box(left=100.5, top=200, right=300, bottom=260.2)
    window = box_window(box, height=400, width=500)
    assert window.covers(Window(left=100, top=200, right=300, bottom=261))
    assert whole(400, 500).covers(window)
    edge = Box(left=499.5, top=0, right=500, bottom=400)
    assert whole(400, 500).covers(box_window(edge, height=400, width=500))


def test_a_window_is_cut_out_of_the_image_once(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    windows: list[Window] = []

    def crop(image: NDArray[np.uint8], window: Window, size: int) -> NDArray[np.uint8]:
        windows.append(window)
        return crop_to_network(image, window, size)

    monkeypatch.setattr(window_round, "crop_to_network", crop)
    clicks = [Click(x=40, y=30), Click(x=110, y=60, is_positive=False)]
    first = tiny_segmenter.segment(photo, clicks[:1])
    assert windows == list(dict.fromkeys([whole(90, 140), first.zoom]))
    windows.clear()
    later = tiny_segmenter.segment(photo, clicks, first)
    assert windows == [later.zoom]


def test_a_first_click_takes_two_passes_and_a_later_one_takes_one(
    tiny_segmenter: MfpSegmenter, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[Answer] = []
    engine = tiny_segmenter.engine

    def counted(*given: Tensor) -> Answer:
        passes.append(type(engine).__call__(engine, *given))
        return passes[-1]

    monkeypatch.setattr(tiny_segmenter._rounds_on, "_engine", _Counting(engine, counted))
    clicks = [Click(x=70, y=40), Click(x=20, y=20, is_positive=False)]
    first = tiny_segmenter.segment(photo, clicks[:1])
    assert len(passes) == 2
    tiny_segmenter.segment(photo, clicks, first)
    assert len(passes) == 3


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


@pytest.mark.parametrize(
    "engine", [pytest.param("openvino-f32", marks=pytest.mark.slow), "pytorch-f32"]
)
def test_answers_do_not_depend_on_the_type_that_pytorch_makes_by_default(
    tiny_checkpoint: Checkpoint, photo: NDArray[np.uint8], engine: str
) -> None:
    def answer(segmenter: MfpSegmenter) -> bytes:
        clicks = [Click(x=70, y=40), Click(x=20, y=20, is_positive=False)]
        probabilities = segmenter.segment(photo, clicks).probability_map
        return probabilities.tobytes() + segmenter.appearance(photo[:64, :64]).tobytes()

    before = MfpSegmenter(tiny_checkpoint, device="cpu", engine=engine, averages_flip=True)
    wanted = answer(before)
    for kind in (torch.float64, torch.bfloat16):
        torch.set_default_dtype(kind)
        try:
            after = MfpSegmenter(tiny_checkpoint, device="cpu", engine=engine, averages_flip=True)
            assert [answer(before), answer(after)] == [wanted, wanted]
        finally:
            torch.set_default_dtype(torch.float32)
