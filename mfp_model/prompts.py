"""Clicks: where a person said "object" or "not object"."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mfp_model.errors import ClickError


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """What a brush painted, as a compressed COCO RLE of the whole image.

    Attributes:
        height: Rows of the image.
        width: Columns of the image.
        counts: The RLE's counts, see `mfp_model.masks.rle.encode_mask`.
    """

    height: int
    width: int
    counts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One click in the image frame.

    Attributes:
        x: Pixels from the left edge, 0 <= x <= image width.
        y: Pixels from the top edge, 0 <= y <= image height.
        is_positive: True for "object", False for "not object".
        stroke: What was painted instead of a click, which then lies in the middle of it. Only
            segmenters that work with seeds look at it.

    Raises:
        ClickError: A coordinate is negative or not finite.
    """

    x: float
    y: float
    is_positive: bool = True
    stroke: Stroke | None = None

    def __post_init__(self) -> None:
        for name, value in (("x", self.x), ("y", self.y)):
            if not math.isfinite(value) or value < 0:
                raise ClickError(f"click {name}={value}: expected a finite number >= 0")


def parse_click(text: str) -> Click:
    """Return the click that `X,Y,+` or `X,Y,-` describes, as the command line takes it.

    Raises:
        ClickError: The text has another form.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or parts[2] not in ("+", "-"):
        raise ClickError(f"click {text!r}: expected X,Y,+ or X,Y,-")
    try:
        x, y = float(parts[0]), float(parts[1])
    except ValueError:
        raise ClickError(f"click {text!r}: X and Y must be numbers") from None
    return Click(x=x, y=y, is_positive=parts[2] == "+")


def check_clicks(clicks: Iterable[Click], *, height: int, width: int) -> tuple[Click, ...]:
    """Return the clicks as a tuple, all of them inside the image, its far edges included.

    Raises:
        ClickError: A click lies outside the image.
    """
    checked = tuple(clicks)
    for click in checked:
        if click.x > width:
            raise ClickError(f"click x={click.x:g} outside image of width {width}")
        if click.y > height:
            raise ClickError(f"click y={click.y:g} outside image of height {height}")
        stroke = click.stroke
        if stroke is not None and (stroke.height, stroke.width) != (height, width):
            raise ClickError(
                f"stroke on {stroke.width}x{stroke.height} pixels, expected {width}x{height}"
            )
    return checked
