"""The points and boxes of a click request, as Label Studio's page sends them.

Percent becomes pixels here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from backend.label_studio.regions import MAX_SIDE_PX
from mfp_model.errors import MfpError, PromptError
from mfp_model.prompts import Box, Click

_Kind = TypeVar("_Kind")

_MAX_POINTS = 200  # each is a round of the network where nothing is known of the object yet
_MAX_LABELS = 200  # of a point
_EDGE_TOLERANCE_PERCENT = 0.5  # the page may round a click on the border to just outside
_MAX_PERCENT = 1000  # of a box, parts of which may lie outside of the image; or its turn
_LABEL_KEYS = ("keypointlabels", "rectanglelabels", "labels")
_POINT_TYPES = ("keypointlabels", "keypoint", "labels")
_BOX_TYPES = ("rectanglelabels", "rectangle")
_MASK_TYPES = ("brushlabels", "polygonlabels", "brush", "polygon")
_BESIDE_SELECTED = "beside selected"  # no field of Label Studio's

Point = Mapping[str, Any]


class RequestError(MfpError):
    """A request body that does not have the form that Label Studio sends."""


def field_of(body: Mapping[str, Any], name: str, kind: type[_Kind]) -> _Kind:
    """Return a field of a body.

    Raises:
        RequestError: It is missing, or of another kind.
    """
    value = body.get(name)
    if not isinstance(value, kind):
        raise RequestError(f"{name}: expected {kind.__name__}, got {type(value).__name__}")
    return value


def points_of(body: Mapping[str, Any]) -> list[Point] | None:
    """Return the context's points and boxes that are ours, each id once, in their order.

    Points that survived a reload or a submit come along without `is_positive`. A point that was
    placed while a mask is selected comes twice, the second time as a row of the mask's control.

    Returns:
        The points and boxes of all pages of a task; None without context, as where a task is
        opened.

    Raises:
        RequestError: The context has another form, too many points, or one too many labels.
    """
    params = body.get("params")
    context = params.get("context") if isinstance(params, dict) else None
    if context is None:
        return None
    if not isinstance(context, dict):
        raise RequestError(f"context: expected an object or null, got {type(context).__name__}")
    points: dict[str, dict[str, Any]] = {}
    for item in field_of(context, "result", list):
        if not isinstance(item, dict) or not isinstance(item.get("value"), dict):
            raise RequestError("context.result: expected objects with a value")
        name = str(item.get("id"))
        if name in points:
            points[name][_BESIDE_SELECTED] |= item.get("type") in _MASK_TYPES
        elif is_box(item) or _is_point(item):
            points[name] = {**item, _BESIDE_SELECTED: False}
    if len(points) > _MAX_POINTS:
        raise RequestError(
            f"context.result: {len(points)} points of one object, at most {_MAX_POINTS}"
        )
    for point in points.values():
        n_labels = len(labels_of_point(point))
        if n_labels > _MAX_LABELS:
            raise RequestError(f"a point has {n_labels} labels, expected at most {_MAX_LABELS}")
    return list(points.values())


def left_behind(body: Mapping[str, Any], points: list[Point]) -> frozenset[str]:
    """Return the ids of points that the clicked page has read from what was saved.

    It was loaded since they were placed. So it has no answer of theirs that waited for its check.

    Args:
        body: A click's, as in `points_of`.
        points: What `points_of` returns for it.
    """
    rows = [row for row in body["params"]["context"]["result"] if row.get("type") in _POINT_TYPES]
    clicked = {str(point.get("id")) for point in points}
    return frozenset(str(row.get("id")) for row in rows if not is_box(row)) - clicked


def is_box(point: Point) -> bool:
    """Return whether it is a rectangle; a generic label's row of one counts, too."""
    return point.get("type") in _BOX_TYPES or (
        point.get("type") == "labels" and "height" in point["value"]
    )


def is_beside_selected(point: Point) -> bool:
    """Return whether a mask was selected on the page when the point was placed."""
    return bool(point.get(_BESIDE_SELECTED))


def _is_point(item: Point) -> bool:
    return item.get("type") in _POINT_TYPES and isinstance(item.get("is_positive"), bool)


def size_of(point: Point) -> tuple[int, int]:
    """Return width and height in pixels of the image that a point lies on.

    Raises:
        RequestError: It says no such size.
    """
    return _size(point, "original_width"), _size(point, "original_height")


def click_of(point: Point, *, width: int, height: int, is_negative: bool = False) -> Click:
    """Return a point as a click on an image of this size.

    Args:
        point: As the page sends it.
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        is_negative: Whether its control says "not object", whatever key is pressed.

    Raises:
        RequestError: It lies nowhere on the image.
    """
    return Click(
        x=_pixels(point["value"].get("x"), "x", width),
        y=_pixels(point["value"].get("y"), "y", height),
        is_positive=point["is_positive"] and not is_negative,
    )


def box_of(point: Point, *, width: int, height: int) -> Box:
    """Return a rectangle as a box on an image of this size, what is outside of it cut off.

    Of a rectangle that is turned around its first corner, the box that encloses it.

    Raises:
        RequestError: It is damaged, or lies outside of the image.
    """
    value = point["value"]
    x, y, across, down = (_number(value, name) for name in ("x", "y", "width", "height"))
    turn = math.radians(_number(value, "rotation") if value.get("rotation") else 0.0)
    # Percents are of width and height, so a turn is made in pixels.
    corners = [(side * across * width, end * down * height) for side in (0, 1) for end in (0, 1)]
    columns = [x * width + a * math.cos(turn) - b * math.sin(turn) for a, b in corners]
    rows = [y * height + a * math.sin(turn) + b * math.cos(turn) for a, b in corners]
    try:
        return Box(
            left=max(min(columns) / 100, 0.0),
            top=max(min(rows) / 100, 0.0),
            right=min(max(columns) / 100, float(width)),
            bottom=min(max(rows) / 100, float(height)),
        )
    except PromptError as error:
        raise RequestError(f"a box outside of the image of {width}x{height}: {error}") from None


def labels_of_point(point: Point) -> tuple[str, ...]:
    """Return a point's own labels, as the page sends them."""
    value = point["value"]
    labels: object = next((value[name] for name in _LABEL_KEYS if value.get(name)), [])
    texts = (
        [label for label in labels if isinstance(label, str)] if isinstance(labels, list) else []
    )
    return tuple(dict.fromkeys(texts))


def _size(point: Point, name: str) -> int:
    value = point.get(name)
    if not isinstance(value, int) or not 1 <= value <= MAX_SIDE_PX or value is True:
        raise RequestError(
            f"point {name}={value!r:.40}: expected a whole number of pixels, 1..{MAX_SIDE_PX}"
        )
    return value


def _pixels(percent: object, axis: str, size: int) -> float:
    if not isinstance(percent, (int, float)):
        raise RequestError(f"point {axis}={percent!r:.40}: expected a number in percent")
    if not -_EDGE_TOLERANCE_PERCENT <= percent <= 100 + _EDGE_TOLERANCE_PERCENT:  # nor NaN
        raise RequestError(f"point {axis}={percent!r:.40}: expected 0..100 percent")
    return min(max(percent, 0.0), 100.0) / 100 * size


def _number(value: Mapping[str, Any], name: str) -> float:
    number = value.get(name)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise RequestError(f"box {name}={number!r:.40}: expected a number")
    if not abs(number) <= _MAX_PERCENT:  # nor NaN
        raise RequestError(f"box {name}={number!r:.40}: expected at most {_MAX_PERCENT}")
    return float(number)
