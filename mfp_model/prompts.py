"""Prompts: where a person said "object" or "not object", by a click, a stroke or a box.

A segmenter says which kinds it understands. What decides by kind asks `clicks_of`, `strokes_of`
or `check_prompts`, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar, TypeAlias

from mfp_model.errors import PromptError

_SIGNS = frozenset({True, False})  # and what equals them: 1, 0, NumPy's


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One click in the image frame.

    Attributes:
        x: Pixels from the left edge, 0 <= x <= image width.
        y: Pixels from the top edge, 0 <= y <= image height.
        is_positive: True for "object", False for "not object".

    Raises:
        PromptError: A coordinate is no finite number >= 0, or `is_positive` neither True nor False.
    """

    KIND: ClassVar[str] = "click"
    x: float
    y: float
    is_positive: bool = True

    def __post_init__(self) -> None:
        _check_coordinates(self.KIND, x=self.x, y=self.y)
        _check_sign(self.KIND, self.is_positive)

    def pixel(self, *, height: int, width: int) -> tuple[int, int]:
        """Return row and column of the clicked pixel; the far edges belong to the last ones."""
        return min(int(self.y), height - 1), min(int(self.x), width - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """What a brush painted to say "object" or "not object".

    Segmenters that work with seeds take its pixels, others a click in its middle.
    `mfp_model.masks.rle.stroke_of` makes one of a mask.

    Attributes:
        x: Of its middle, a pixel deep inside it, in pixels from the left edge.
        y: Of its middle, in pixels from the top edge.
        is_positive: True for "object", False for "not object".
        height: Rows of the image.
        width: Columns of the image.
        counts: The painted pixels as a compressed COCO RLE's counts.

    Raises:
        PromptError: A coordinate is no finite number >= 0, or `is_positive` neither True nor False.
    """

    KIND: ClassVar[str] = "stroke"
    x: float
    y: float
    is_positive: bool = True
    height: int
    width: int
    counts: str

    def __post_init__(self) -> None:
        _check_coordinates(self.KIND, x=self.x, y=self.y)
        _check_sign(self.KIND, self.is_positive)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle around the object, in the image frame.

    Attributes:
        left: Pixels from the left edge of the image to the box's, 0 <= left < right.
        top: Pixels from the top edge of the image to the box's, 0 <= top < bottom.
        right: Pixels from the left edge of the image, at most its width.
        bottom: Pixels from the top edge of the image, at most its height.
        is_positive: Always True: a box says where the object is.

    Raises:
        PromptError: A coordinate is no finite number >= 0, or the box has no area.
    """

    KIND: ClassVar[str] = "box"
    is_positive: ClassVar[bool] = True
    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        _check_coordinates(
            self.KIND, left=self.left, top=self.top, right=self.right, bottom=self.bottom
        )
        for low, high in (("left", "right"), ("top", "bottom")):
            if getattr(self, low) >= getattr(self, high):
                raise PromptError(
                    f"box {low}={getattr(self, low):g} {high}={getattr(self, high):g}: "
                    f"expected {low} < {high}"
                )

    @classmethod
    def between(cls, corner: tuple[float, float], opposite: tuple[float, float]) -> Box:
        """Return the box between two opposite corners, each x and y, whichever comes first.

        Raises:
            PromptError: As in `Box`.
        """
        (left, right), (top, bottom) = (sorted(pair) for pair in zip(corner, opposite, strict=True))
        return cls(left=left, top=top, right=right, bottom=bottom)


Prompt: TypeAlias = Click | Stroke | Box


def clicks_of(prompts: Iterable[Prompt]) -> tuple[Click, ...]:
    """Return the prompts as clicks in their order: a stroke is one in its middle, a box is none."""
    return tuple(
        prompt
        if isinstance(prompt, Click)
        else Click(x=prompt.x, y=prompt.y, is_positive=prompt.is_positive)
        for prompt in prompts
        if not isinstance(prompt, Box)
    )


def strokes_of(prompts: Iterable[Prompt]) -> tuple[Stroke, ...]:
    """Return the strokes among the prompts, in their order."""
    return tuple(prompt for prompt in prompts if isinstance(prompt, Stroke))


def check_prompts(
    prompts: Iterable[Prompt], *, height: int, width: int, kinds: tuple[type[Prompt], ...]
) -> tuple[Prompt, ...]:
    """Return the prompts as a tuple, all of these kinds and inside the image, far edges included.

    Raises:
        PromptError: A prompt is of another kind, lies outside the image, or was painted on an
            image of another size; or it is one prompt alone.
    """
    if not isinstance(prompts, Iterable):
        raise PromptError(f"prompts {type(prompts).__name__}: expected a list of them")
    checked = tuple(prompts)
    for prompt in checked:
        if not isinstance(prompt, kinds):
            expected = " or ".join(kind.KIND for kind in kinds)
            got = getattr(prompt, "KIND", type(prompt).__name__)  # code without types may give any
            raise PromptError(f"a {got}: the segmenter does not know it, only {expected}")
        furthest = (
            (("right", prompt.right, width), ("bottom", prompt.bottom, height))
            if isinstance(prompt, Box)
            else (("x", prompt.x, width), ("y", prompt.y, height))
        )
        for (name, value, limit), side in zip(furthest, ("width", "height"), strict=True):
            if value > limit:
                raise PromptError(f"{prompt.KIND} {name}={value:g} outside image of {side} {limit}")
        if isinstance(prompt, Stroke) and (prompt.height, prompt.width) != (height, width):
            raise PromptError(
                f"stroke on {prompt.width}x{prompt.height} pixels, expected {width}x{height}"
            )
    return checked


def parse_click(text: str) -> Click:
    """Return the click that `X,Y,+` or `X,Y,-` describes, as the command line takes it.

    Raises:
        PromptError: The text has another form.
    """
    *numbers, sign = (part.strip() for part in text.split(","))
    if len(numbers) != 2 or sign not in ("+", "-"):
        raise PromptError(f"click {text!r}: expected X,Y,+ or X,Y,-")
    x, y = _numbers(numbers, f"click {text!r}: X and Y must be numbers")
    return Click(x=x, y=y, is_positive=sign == "+")


def parse_box(text: str) -> Box:
    """Return the box between the two opposite corners of `X,Y,X,Y`, in whichever order.

    Raises:
        PromptError: The text has another form.
    """
    parts = text.split(",")
    if len(parts) != 4:
        raise PromptError(f"box {text!r}: expected X,Y,X,Y")
    x, y, other_x, other_y = _numbers(parts, f"box {text!r}: all four must be numbers")
    return Box.between((x, y), (other_x, other_y))


def _check_coordinates(kind: str, **values: float) -> None:
    for name, value in values.items():
        try:  # code without types may give any
            is_good = isinstance(value, Real) and math.isfinite(value) and value >= 0
        except OverflowError:
            value, is_good = math.inf, False
        if not is_good:
            raise PromptError(f"{kind} {name}={value!r:.40}: expected a finite number >= 0")


def _check_sign(kind: str, value: bool) -> None:
    try:
        is_good = value in _SIGNS
    except TypeError:  # arrays and lists
        is_good = False
    if not is_good:  # "-" and -1 are as true as True, and mean the opposite
        raise PromptError(f"{kind} is_positive={value!r:.40}: expected True or False")


def _numbers(parts: list[str], message: str) -> list[float]:
    try:
        return [float(part) for part in parts]
    except ValueError:
        raise PromptError(message) from None
