"""Label Studio's `/predict` JSON -> what is to be segmented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.label_studio.alike_prompts import without_alike
from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.controls import MaskControl
from backend.label_studio.label_config import LabelConfig, TaskConfigs
from backend.label_studio.page import Annotation, page_of, storable
from backend.label_studio.points import Point, RequestError, field_of, left_behind, points_of
from backend.label_studio.projects import UNKNOWN_RULES, ProjectRules
from backend.label_studio.region_request import RegionRequest, region_request
from backend.label_studio.task_values import MAX_LETTERS, key_of, page_at

_MAX_CLICKED_TASKS = 10  # the page sends one
_MAX_OPENED_TASKS = 10_000
_MAX_PROJECT_LETTERS = 40
_MAX_TAGS_OF_TASKS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """One task of a request.

    Attributes:
        task_id: Label Studio's task id.
        project: Label Studio's project id.
        image: Address of the image as the task names it, empty where it has none.
        image_index: Index of the image among those of a task with several pages; None for one.
        is_opening: True where the page opens the task, False where it asks about clicks.
        control: Control that masks of the image belong to, None where there is none yet.
        there: What the annotation holds already.
        region: The object being clicked, None where there is no click.
        problem: Why the task has no image; empty where it has one.
        doubt: What is not known of its annotations, and why; empty where all is.
        is_alone: The project asks for one annotator a task.
        with_drafts: Returns the same request, had Label Studio these drafts of the task and nothing
            else; None where no click is asked about.
        is_alike: All objects that look like the region's are asked for.
    """

    task_id: str
    project: str
    image: str
    is_opening: bool
    control: MaskControl | None
    there: Annotation
    region: RegionRequest | None
    image_index: int | None = None
    problem: str = ""
    doubt: str = ""
    is_alone: bool = False
    with_drafts: Callable[[list[Mapping[str, Any]]], TaskRequest] | None = field(
        default=None, compare=False, repr=False
    )
    is_alike: bool = False


def parse_predict(
    body: object, rules_of: Callable[[str], ProjectRules] = lambda project: UNKNOWN_RULES
) -> list[TaskRequest]:
    """Return what a `/predict` body asks for, one entry a task.

    A task that is opened and has no image is returned with its problem, so that the others of the
    request go on.

    Args:
        body: The JSON.
        rules_of: Returns the rules of a project by its id.

    Raises:
        RequestError: The body has another form, or a task that is clicked has no image.
        LabelConfigError: The label configuration cannot be read or has no place for a mask.
    """
    if not isinstance(body, dict):
        raise RequestError(f"body: expected a JSON object, got {type(body).__name__}")
    tasks = field_of(body, "tasks", list)
    configs = TaskConfigs(field_of(body, "label_config", str), most=_MAX_TAGS_OF_TASKS)
    project = project_id(body)
    points = points_of(body)
    most = _MAX_CLICKED_TASKS if points else _MAX_OPENED_TASKS
    if len(tasks) > most:
        raise RequestError(f"tasks: {len(tasks)} in one request, expected at most {most}")
    rules = rules_of(project)
    if points is None:
        return [_opened(task, project, configs, rules) for task in tasks]
    left = frozenset(map(storable, left_behind(body, points)))
    return [_clicked(task, project, configs, points, left, rules) for task in tasks]


def project_id(body: Mapping[str, Any]) -> str:
    """Return Label Studio's project id of a request; it sends `14.1790000000`, id and time.

    Raises:
        RequestError: It is longer than any id.
    """
    project = str(body.get("project") or "").partition(".")[0]
    if len(project) > _MAX_PROJECT_LETTERS:  # it is kept
        raise RequestError(
            f"project: {len(project)} letters, expected at most {_MAX_PROJECT_LETTERS}"
        )
    return project


def _opened(task: object, project: str, configs: TaskConfigs, rules: ProjectRules) -> TaskRequest:
    """A task that is opened; its first image is the one that the page shows first."""
    if not isinstance(task, dict):
        raise RequestError(f"task: expected an object, got {type(task).__name__}")
    config, image, image_index, problem = configs.common, "", None, ""
    name = next(iter(config.image_values), "")
    try:
        data = field_of(task, "data", dict)
        config = configs.of(data)
        name = next(iter(config.image_values), "")
        image, image_index = _image(config, name, data, None)
    except (RequestError, LabelConfigError) as error:
        problem = f"task {task.get('id')!r:.40}: {error}"
    return TaskRequest(
        task_id=storable(task.get("id", "")),
        project=project,
        image=image,
        image_index=image_index,
        is_opening=True,
        control=next((control for control in config.controls if control.to_name == name), None),
        there=page_of(task, frozenset(), rules).annotation,
        region=None,
        problem=problem,
    )


def _clicked(
    task: object,
    project: str,
    configs: TaskConfigs,
    points: list[Point],
    left: frozenset[str],
    rules: ProjectRules,
) -> TaskRequest:
    if not isinstance(task, dict):
        raise RequestError(f"task: expected an object, got {type(task).__name__}")
    data = field_of(task, "data", dict)
    config = configs.of(data)
    asked = points
    points, is_alike = without_alike(asked, config)
    newest = points[-1] if points else {}
    # One request has the points of all pages.
    points = [point for point in points if point.get("item_index") == newest.get("item_index")]
    point_ids = frozenset(storable(point.get("id")) for point in points)
    default_name = next(iter(config.image_values), "")
    name = str(newest.get("to_name")) if points else default_name
    image, image_index = _image(config, name, data, newest.get("item_index"))
    page = page_of(task, point_ids, rules)
    there = page.annotation.at(image_index)
    region = region_request(points, config, name, there, left) if points else None

    def with_drafts(drafts: list[Mapping[str, Any]]) -> TaskRequest:
        alone = {**task, "drafts": drafts, "annotations": [], "predictions": []}
        return _clicked(alone, project, configs, asked, left, rules)

    return TaskRequest(
        task_id=storable(task.get("id", "")),
        project=project,
        image=image,
        image_index=image_index,
        is_opening=False,
        control=region.control if region else None,
        there=there,
        region=region,
        doubt=page.doubt,
        is_alone=rules.n_annotators == 1,
        with_drafts=with_drafts,
        is_alike=is_alike,
    )


def _image(
    config: LabelConfig, name: str, data: Mapping[str, Any], index: object
) -> tuple[str, int | None]:
    """An image's address, and its index where the task has a list of pages."""
    if name not in config.image_values:
        raise RequestError(f"label config has no <Image name={name!r:.80}>")
    value = config.image_values[name]
    address, page = page_at(value, data, index)
    if not isinstance(address, str) or not address:
        got = "an empty text" if address == "" else type(address).__name__
        expected = f"str of at most {MAX_LETTERS} letters" if address is None else "str"
        raise RequestError(f"{key_of(value):.80}: expected {expected}, got {got}")
    try:
        address.encode()
    except UnicodeEncodeError:
        raise RequestError(f"image address {address[:80]!r}: not Unicode") from None
    return address, page
