"""Boxes that are there already, and the masks of what lies in them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from mfp_model.errors import ConfigError, PromptError
from mfp_model.finding.boxes import box_iou, check_knows_boxes, mask_in_box
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import Prediction, mask_prediction
from mfp_model.prompts import Box, Click, Prompt
from tests.fakes import ClickSegmenter, DiskSegmenter

_IMAGE = np.zeros((60, 80, 3), np.uint8)


class Filler(DiskSegmenter):
    """Answers a box with all of the image in it and around it, as far as `reach` pixels."""

    def __init__(self, reach: int = 0) -> None:
        super().__init__()
        self._reach = reach

    @property
    def prompt_kinds(self) -> tuple[type[Prompt], ...]:
        return (Click, Box)

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        (box,) = prompts
        assert isinstance(box, Box)
        mask = np.zeros(image.shape[:2], np.bool_)
        top, left = max(0, int(box.top) - self._reach), max(0, int(box.left) - self._reach)
        mask[top : int(box.bottom) + self._reach, left : int(box.right) + self._reach] = True
        yield mask_prediction(MaskRuns.of(mask))


def _corners(
    left: float, top: float, width: float, height: float, turn: float = 0.0
) -> NDArray[np.float64]:
    angle = np.radians(turn)
    turning = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (width, height)
    return np.asarray((left, top) + corners @ turning.T)


def test_a_boxs_mask_and_how_well_it_fills_the_box() -> None:
    boxed = mask_in_box(Filler(), _IMAGE, _corners(10, 20, 30, 20))
    assert boxed.mask.sum() == 600
    assert boxed.box_iou == pytest.approx(1.0)


def test_a_mask_reaches_little_over_its_box() -> None:
    boxed = mask_in_box(Filler(reach=15), _IMAGE, _corners(10, 20, 30, 20))
    rows, columns = np.nonzero(boxed.mask)
    assert (columns.min(), rows.min()) == (7, 18)
    assert boxed.box_iou == pytest.approx(30 * 20 / (36 * 24), abs=0.05)


def test_a_turned_box_keeps_what_lies_in_it_and_is_compared_in_its_direction() -> None:
    corners = _corners(40, 5, 30, 20, turn=45)
    boxed = mask_in_box(Filler(), _IMAGE, corners)
    assert boxed.mask[30, 38]
    assert not boxed.mask[10, 20]  # in the upright box around it, and not in it
    assert boxed.box_iou > 0.65


def test_what_reaches_out_of_the_image_does_not_count() -> None:
    boxed = mask_in_box(Filler(), _IMAGE, _corners(-20, -10, 40, 30))
    assert boxed.box_iou == pytest.approx(1.0)
    with pytest.raises(PromptError, match="in it"):
        mask_in_box(Filler(), _IMAGE, _corners(100, 10, 20, 20))


def test_an_empty_mask_has_no_box() -> None:
    assert box_iou(np.zeros((60, 80), np.bool_), _corners(10, 20, 30, 20)) == 0


def test_a_segmenter_without_boxes_is_refused() -> None:
    check_knows_boxes(Filler())
    with pytest.raises(ConfigError, match="know no boxes"):
        check_knows_boxes(ClickSegmenter())
