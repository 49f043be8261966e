"""Label Studio's `/predict` JSON -> what is to be segmented. Percent becomes pixels here only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from backend.label_studio.label_config import LabelConfig, MaskControl, parse_label_config
from backend.label_studio.page import Annotation, annotation_on_page, storable
from backend.label_studio.regions import MAX_SIDE_PX
from backend.label_studio.strokes import seed_strokes
from mfp_model.errors import MfpError
from mfp_model.prompts import Click, Prompt

_Kind = TypeVar("_Kind")

_MAX_POINTS = 200  # each is a round of the network where nothing is known of the object yet
_MAX_CLICKED_TASKS = 10  # the page sends one
_MAX_OPENED_TASKS = 10_000
_EDGE_TOLERANCE_PERCENT = 0.5  # the page may round a click on the border to just outside


class RequestError(MfpError):
    """A request body that does not have the form that Label Studio sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRequest:
    """One object being clicked.

    Attributes:
        prompts: Clicks in pixels of the displayed image, seed strokes before them, oldest first.
        point_ids: Label Studio's ids of the clicks, kept while the object is being clicked.
        control: Control that the answer belongs to.
        label: Label of the answer, None where the control has none.
        named: The label that the points themselves carry, None for none of the control's.
        width: Image width in pixels as the page sees it.
        height: Image height in pixels as the page sees it.
    """

    prompts: tuple[Prompt, ...]
    point_ids: frozenset[str]
    control: MaskControl
    label: str | None
    named: str | None
    width: int
    height: int

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The clicks among the prompts, oldest first."""
        return tuple(prompt for prompt in self.prompts if isinstance(prompt, Click))

    @property
    def is_positive(self) -> bool:
        """Whether any prompt says "object"."""
        return any(prompt.is_positive for prompt in self.prompts)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """One task of a request.

    Attributes:
        task_id: Label Studio's task id.
        project: Label Studio's project id.
        image: Address of the image as the task names it.
        is_opening: True where the page opens the task, False where it asks about clicks.
        control: Control that masks of the image belong to, None where there is none yet.
        there: What the annotation holds already.
        region: The object being clicked, None where there is no click.
    """

    task_id: str
    project: str
    image: str
    is_opening: bool
    control: MaskControl | None
    there: Annotation
    region: RegionRequest | None


def parse_predict(body: object) -> list[TaskRequest]:
    """Return what a `/predict` body asks for, one entry a task.

    Raises:
        RequestError: The body has another form.
        LabelConfigError: The label configuration cannot be read or has no place for a mask.
    """
    if not isinstance(body, dict):
        raise RequestError(f"body: expected a JSON object, got {type(body).__name__}")
    tasks = _field(body, "tasks", list)
    config = parse_label_config(_field(body, "label_config", str))
    project = project_id(body)
    points = _points(body)
    most = _MAX_CLICKED_TASKS if points else _MAX_OPENED_TASKS
    if len(tasks) > most:
        raise RequestError(f"tasks: {len(tasks)} in one request, expected at most {most}")
    return [_task(task, project, config, points) for task in tasks]


def project_id(body: Mapping[str, Any]) -> str:
    """Return Label Studio's project id of a request; it sends `14.1790000000`, id and time."""
    return str(body.get("project") or "").partition(".")[0]


def _field(body: Mapping[str, Any], name: str, kind: type[_Kind]) -> _Kind:
    value = body.get(name)
    if not isinstance(value, kind):
        raise RequestError(f"{name}: expected {kind.__name__}, got {type(value).__name__}")
    return value


def _points(body: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """The context's points that are ours, each id once, in click order; None without context.

    Points that survived a reload or a submit come along without `is_positive`.
    """
    params = body.get("params")
    context = params.get("context") if isinstance(params, dict) else None
    if context is None:
        return None
    if not isinstance(context, dict):
        raise RequestError(f"context: expected an object or null, got {type(context).__name__}")
    points: dict[str, Mapping[str, Any]] = {}
    for item in _field(context, "result", list):
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


def _task(
    task: object, project: str, config: LabelConfig, points: list[Mapping[str, Any]] | None
) -> TaskRequest:
    if not isinstance(task, dict):
        raise RequestError(f"task: expected an object, got {type(task).__name__}")
    data = _field(task, "data", dict)
    image_name = str(points[0].get("to_name")) if points else next(iter(config.image_keys), "")
    if image_name not in config.image_keys:
        raise RequestError(f"label config has no <Image name={image_name!r:.80}>")
    image = _field(data, config.image_keys[image_name], str)
    try:
        image.encode()
    except UnicodeEncodeError:
        raise RequestError(f"image address {image[:80]!r}: not Unicode") from None
    point_ids = frozenset(storable(point.get("id")) for point in points or ())
    there = annotation_on_page(task, point_ids)
    return TaskRequest(
        task_id=str(task.get("id", "")),
        project=project,
        image=image,
        is_opening=points is None,
        control=next(
            (control for control in config.controls if control.to_name == image_name), None
        ),
        there=there,
        region=_region(points, point_ids, config, image_name, there) if points else None,
    )


def _region(
    points: list[Mapping[str, Any]],
    point_ids: frozenset[str],
    config: LabelConfig,
    image_name: str,
    there: Annotation,
) -> RegionRequest:
    control = config.control_for(image_name)
    width, height = (_size(points[-1], name) for name in ("original_width", "original_height"))
    clicks = tuple(
        Click(
            x=_pixels(point, "x", width),
            y=_pixels(point, "y", height),
            is_positive=point["is_positive"],
        )
        for point in points
    )
    strokes = seed_strokes(there, config, image_name, height=height, width=width)
    named = _named(points[-1], control)
    return RegionRequest(
        prompts=(*strokes, *clicks),
        point_ids=point_ids,
        control=control,
        label=named or next(iter(control.labels), None),
        named=named,
        width=width,
        height=height,
    )


def _size(point: Mapping[str, Any], name: str) -> int:
    value = point.get(name)
    if not isinstance(value, int) or not 1 <= value <= MAX_SIDE_PX or value is True:
        raise RequestError(
            f"point {name}={value!r:.40}: expected a whole number of pixels, 1..{MAX_SIDE_PX}"
        )
    return value


def _pixels(point: Mapping[str, Any], axis: str, size: int) -> float:
    percent = point["value"].get(axis)
    if not isinstance(percent, (int, float)):
        raise RequestError(f"point {axis}={percent!r:.40}: expected a number in percent")
    if not -_EDGE_TOLERANCE_PERCENT <= percent <= 100 + _EDGE_TOLERANCE_PERCENT:  # nor NaN
        raise RequestError(f"point {axis}={percent!r:.40}: expected 0..100 percent")
    return min(max(percent, 0.0), 100.0) / 100 * size


def _named(point: Mapping[str, Any], control: MaskControl) -> str | None:
    """The point's label where the mask's control has it."""
    value = point["value"]
    named = value.get("keypointlabels") or value.get("labels") or []
    labels = named if isinstance(named, list) else []
    return next((str(label) for label in labels if label in control.labels), None)
