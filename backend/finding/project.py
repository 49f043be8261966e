"""Objects found on the tasks of a Label Studio project, stored as predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from backend.finding.answer import prediction
from backend.images.decoding import decode_image
from backend.images.sources import ImageFiles
from backend.label_studio.access import LabelStudioError, LabelStudioRefusedError
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.controls import MaskControl
from backend.label_studio.label_config import LabelConfig
from backend.label_studio.task_values import page_at
from mfp_model.errors import ImageError

if TYPE_CHECKING:
    from backend.finding.answer import FindLayers
    from mfp_model.finding.layers import LayeredObject

_PAGE = 50
_READERS = 4
_TAB = "Least sure first"
_LEAST_SURE_FIRST = "tasks:predictions_score"

Report = Callable[[], None]
_Read = tuple[int, Future[bytes]]  # a task's id, and its image


@dataclass(slots=True, kw_only=True)
class AnnotateSummary:
    """What was done.

    Attributes:
        images: Images that objects were looked for on.
        objects: Objects found.
        hidden: Those of them that are behind others.
        skipped: Images that were done before.
        problems: Images that could not be used, and why.
    """

    images: int = 0
    objects: int = 0
    hidden: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, layers: list[LayeredObject]) -> None:
        """Count an image."""
        self.images += 1
        self.objects += len(layers)
        self.hidden += sum(layer.is_hidden for layer in layers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ObjectFinder:
    """What finds objects on one image after the other.

    Attributes:
        find: The finder.
        version: Its model version.
        max_megapixels: Larger images are problems.
    """

    find: FindLayers
    version: str
    max_megapixels: float

    def layers(self, content: bytes) -> list[LayeredObject]:
        """Return the objects on an image file.

        Raises:
            ImageError: The file is no usable image.
        """
        return self.find(decode_image(content, max_megapixels=self.max_megapixels))


def annotate_project(
    object_finder: ObjectFinder,
    api: LabelStudioApi,
    project: int,
    config: LabelConfig,
    sources: ImageFiles,
    *,
    polygon_error_px: float,
    batch: int,
    report: Report,
) -> AnnotateSummary:
    """Store a prediction for each task that has none of this version.

    So what was cut goes on where it was, but for a batch. The project then shows this version's
    predictions, and has a tab in which the tasks that the finder is least sure of come first.

    Args:
        object_finder: What finds objects.
        api: The Label Studio.
        project: The project's id.
        config: Its label configuration; the objects go to the first image's mask control.
        sources: What reads images.
        polygon_error_px: How far a polygon may be from the mask's edge.
        batch: Tasks whose images are read ahead, and whose predictions are stored together.
        report: Called after every task.

    Raises:
        LabelConfigError: The configuration has no place for a mask.
        LabelStudioError: Label Studio cannot be reached, or does not accept the token.
    """
    summary = AnnotateSummary()
    image_name, value = next(iter(config.image_values.items()), ("", ""))
    control = config.control_for(image_name)
    api.add_tab(project, _TAB, ordering=_LEAST_SURE_FIRST)
    left = _without(api, project, object_finder.version, summary, report)
    with ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="read") as readers:

        def reading(task: dict[str, Any]) -> _Read:
            address = page_at(value, task["data"], 0)[0]
            named = address if isinstance(address, str) else ""
            return int(task["id"]), readers.submit(sources.read, named, str(task["id"]))

        waiting = [reading(task) for task in islice(left, batch)]
        while waiting:
            coming = [reading(task) for task in islice(left, batch)]
            predictions = _found(object_finder, control, waiting, polygon_error_px, summary, report)
            stored: list[dict[str, Any]] = []
            try:
                stored += predictions
            finally:  # who stops it keeps what was found
                _store(api, project, stored, object_finder.version, summary.problems)
            waiting = coming
    return summary


def _store(
    api: LabelStudioApi,
    project: int,
    predictions: list[dict[str, Any]],
    version: str,
    problems: list[str],
) -> None:
    """Store what was found: together, else one by one, so that one task costs only itself."""
    if not predictions:
        return
    try:
        api.import_predictions(project, predictions)
    except LabelStudioRefusedError:
        left = predictions
    except LabelStudioError:  # some of it may have been stored, and Label Studio be back by now
        left = [entry for entry in predictions if not _is_stored(api, project, entry, version)]
    else:
        left = []
    n_refused = 0
    for entry in left:
        try:
            api.import_predictions(project, [entry])
        except LabelStudioRefusedError as error:
            n_refused += 1
            problems.append(f"task {entry['task']}: {error}")
    if n_refused < len(predictions):
        api.show_predictions(project, version)  # which must exist by then


def _is_stored(api: LabelStudioApi, project: int, entry: dict[str, Any], version: str) -> bool:
    tasks = api.tasks_after(project, entry["task"] - 1, limit=1)
    return any(
        stored.get("model_version") == version
        for task in tasks
        if task["id"] == entry["task"]
        for stored in task["predictions"]
    )


def _found(
    object_finder: ObjectFinder,
    control: MaskControl,
    waiting: list[_Read],
    error_px: float,
    summary: AnnotateSummary,
    report: Report,
) -> Iterator[dict[str, Any]]:
    """The predictions of a batch, each with its task."""
    for task, content in waiting:
        try:
            layers = object_finder.layers(content.result())
        except ImageError as error:
            summary.problems.append(f"task {task}: {error}")
        else:
            version = object_finder.version
            entry = prediction(layers, control, version=version, polygon_error_px=error_px)
            summary.add(layers)
            yield {"task": task, **entry}
        report()


def _without(
    api: LabelStudioApi, project: int, version: str, summary: AnnotateSummary, report: Report
) -> Iterator[dict[str, Any]]:
    """The tasks that have no prediction of a version."""
    last = -1
    while page := api.tasks_after(project, last, limit=_PAGE):
        last = int(page[-1]["id"])
        for task in page:
            if any(entry.get("model_version") == version for entry in task["predictions"]):
                summary.skipped += 1
                report()
            else:
                yield task
