import math
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from mfp_model.errors import PromptError
from mfp_model.masks.rle import stroke_of
from mfp_model.prompts import (
    Box,
    Click,
    Prompt,
    Stroke,
    check_prompts,
    clicks_of,
    parse_box,
    parse_click,
    strokes_of,
)

_STROKE = Stroke(x=2.5, y=3.5, is_positive=False, height=480, width=640, counts="0")


def _checked(prompts: list[Prompt], *, height: int, width: int) -> tuple[Prompt, ...]:
    return check_prompts(prompts, height=height, width=width, kinds=(Click, Stroke, Box))


def test_text_becomes_a_click() -> None:
    assert parse_click("12, 30.5,+") == Click(x=12, y=30.5, is_positive=True)
    assert parse_click("0,0,-") == Click(x=0, y=0, is_positive=False)


@pytest.mark.parametrize(
    "x",
    [
        *(-1, math.nan, pytest.param(10**5000, id="digits"), "3", None, 1j, Decimal(3)),
        *(np.array([3.0]), torch.tensor(3.0), torch.tensor([3.0, 4.0])),
    ],
)
def test_a_place_that_is_no_number_is_refused(x: Any) -> None:  # noqa: ANN401
    with pytest.raises(PromptError, match="^click x=.*: expected a finite number >= 0$"):
        Click(x=x, y=1)
    with pytest.raises(PromptError, match="^box right=.*: expected a finite number >= 0$"):
        Box(left=0, top=0, right=x, bottom=1)


@pytest.mark.parametrize("sign", ["-", "+", -1, 2, None, [1], np.ones(2), math.nan])
def test_a_sign_that_is_neither_true_nor_false_is_refused(sign: Any) -> None:  # noqa: ANN401
    for make in (partial(Click, x=1, y=1), partial(replace, _STROKE)):
        with pytest.raises(PromptError, match="^.* is_positive=.*: expected True or False$"):
            make(is_positive=sign)


@pytest.mark.parametrize("sign", [1, 0, 1.0, np.True_, np.False_])
def test_ones_and_zeros_are_signs(sign: Any) -> None:  # noqa: ANN401
    assert Click(x=1, y=1, is_positive=sign) == Click(x=1, y=1, is_positive=bool(sign))


@pytest.mark.parametrize(
    "mask",
    [np.ones((4, 4)), np.ones((4, 4, 3), dtype=np.bool_), np.ones(4, dtype=np.bool_)]
    + [np.array([[1, 2], [3, 4]], dtype=np.uint8)],
)
def test_what_is_no_mask_makes_no_stroke(mask: Any) -> None:  # noqa: ANN401
    with pytest.raises(PromptError, match=r"^mask .*\]: expected bool \[H, W\]"):
        stroke_of(mask)
    with pytest.raises(PromptError, match=r"^mask list: expected a numpy array, bool \[H, W\]"):
        stroke_of(mask.tolist())


@pytest.mark.parametrize("text", ["", "1,2", "1,2,3", "a,2,+", "1,2,3,+", "nan,1,+", "-1,2,+"])
def test_other_text_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(PromptError, match="expected|must be"):
        parse_click(text)


def test_the_far_edges_belong_to_the_image() -> None:
    assert len(_checked([Click(x=640, y=480)], height=480, width=640)) == 1


def test_a_click_outside_names_itself_and_the_size() -> None:
    with pytest.raises(PromptError, match="x=812 outside image of width 640"):
        _checked([Click(x=812, y=3)], height=480, width=640)
    with pytest.raises(PromptError, match="y=481 outside image of height 480"):
        _checked([Click(x=8, y=481)], height=480, width=640)


def test_text_becomes_the_box_between_two_opposite_corners_in_any_order() -> None:
    box = Box(left=2, top=3.5, right=10, bottom=20)
    for text in ("2,3.5,10,20", "10, 20, 2, 3.5", "2,20,10,3.5", "10,3.5,2,20"):
        assert parse_box(text) == box


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "a,2,3,4", "1,2,1,4", "1,2,3,2", "nan,1,2,3", "1,2,inf,4"]
)
def test_other_text_is_no_box_and_the_message_says_what_was_expected(text: str) -> None:
    with pytest.raises(PromptError, match="expected|must be"):
        parse_box(text)


def test_a_box_is_positive_ordered_and_inside_the_image() -> None:
    box = Box(left=0, top=0, right=640, bottom=480)
    assert box.is_positive
    assert _checked([box], height=480, width=640) == (box,)
    with pytest.raises(PromptError, match="box left=5 right=4: expected left < right"):
        Box(left=5, top=0, right=4, bottom=1)
    with pytest.raises(PromptError, match="box top=-1"):
        Box(left=5, top=-1, right=9, bottom=1)
    with pytest.raises(PromptError, match="box right=640 outside image of width 639"):
        _checked([box], height=480, width=639)
    with pytest.raises(PromptError, match="box bottom=480 outside image of height 400"):
        _checked([box], height=400, width=640)


def test_a_kind_that_is_not_understood_is_named() -> None:
    box = Box(left=0, top=0, right=1, bottom=1)
    with pytest.raises(PromptError, match="a box: the segmenter does not know it, only click"):
        check_prompts([Click(x=0, y=0), box], height=9, width=9, kinds=(Click,))


def test_what_is_no_prompt_is_named() -> None:
    with pytest.raises(PromptError, match="a tuple: the segmenter does not know it, only click or"):
        _checked([(5, 5)], height=9, width=9)  # type: ignore[list-item]
    with pytest.raises(PromptError, match="^prompts Click: expected a list of them$"):
        _checked(Click(x=1, y=1), height=9, width=9)  # type: ignore[arg-type]


def test_a_stroke_of_another_image_or_nowhere_is_named() -> None:
    with pytest.raises(PromptError, match="stroke y=nan"):
        replace(_STROKE, y=math.nan)
    with pytest.raises(PromptError, match="stroke on 640x480 pixels, expected 640x470"):
        _checked([_STROKE], height=470, width=640)


def test_a_stroke_is_a_click_in_its_middle_and_a_box_is_none() -> None:
    click = Click(x=1, y=1)
    prompts = [_STROKE, Box(left=0, top=0, right=1, bottom=1), click]
    assert clicks_of(prompts) == (Click(x=2.5, y=3.5, is_positive=False), click)
    assert strokes_of(prompts) == (_STROKE,)
