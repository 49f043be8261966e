"""The points of a click request, as Label Studio's page sends them. Percent becomes pixels here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from backend.label_studio.regions import MAX_SIDE_PX
from mfp_model.errors import MfpError
from mfp_model.prompts import Click

_Kind = TypeVar("_Kind")

_MAX_POINTS = 200  # each is a round of the network where nothing is known of the object yet
_EDGE_TOLERANCE_PERCENT = 0.5  # the page may round a click on the border to just outside

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
    """Return the context's points that are ours, each id once, in click order.

    Points that survived a reload or a submit come along without `is_positive`.

    Returns:
        The points of all pages of a task; None without context, as where a task is opened.

    Raises:
        RequestError: The context has another form, or too many points.
    """
    params = body.get("params")
    context = params.get("context") if isinstance(params, dict) else None
    if context is None:
        return None
    if not isinstance(context, dict):
        raise RequestError(f"context: expected an object or null, got {type(context).__name__}")
    points: dict[str, Point] = {}
    for item in field_of(context, "result", list):
        if not isinstance(item, dict) or not isinstance(item.get("value"), dict):
            raise RequestError("context.result: expected objects with a value")
        is_point = item.get("type") in ("keypointlabels", "keypoint", "labels")
        if is_point and isinstance(item.get("is_positive"), bool):
            points.setdefault(str(item.get("id")), item)
    if len(points) > _MAX_POINTS:
        raise RequestError(
            f"context.result: {len(points)} points of one object, at most {_MAX_POINTS}"
        )
    return list(points.values())


def size_of(point: Point) -> tuple[int, int]:
    """Return width and height in pixels of the image that a point lies on.

    Raises:
        RequestError: It says no such size.
    """
    return _size(point, "original_width"), _size(point, "original_height")


def click_of(point: Point, *, width: int, height: int) -> Click:
    """Return a point as a click on an image of this size.

    Raises:
        RequestError: It lies nowhere on the image.
    """
    return Click(
        x=_pixels(point, "x", width),
        y=_pixels(point, "y", height),
        is_positive=point["is_positive"],
    )


def labels_of_point(point: Point) -> tuple[str, ...]:
    """Return a point's own labels, as the page sends them."""
    value = point["value"]
    labels = value.get("keypointlabels") or value.get("labels") or []
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


def _pixels(point: Point, axis: str, size: int) -> float:
    percent = point["value"].get(axis)
    if not isinstance(percent, (int, float)):
        raise RequestError(f"point {axis}={percent!r:.40}: expected a number in percent")
    if not -_EDGE_TOLERANCE_PERCENT <= percent <= 100 + _EDGE_TOLERANCE_PERCENT:  # nor NaN
        raise RequestError(f"point {axis}={percent!r:.40}: expected 0..100 percent")
    return min(max(percent, 0.0), 100.0) / 100 * size
