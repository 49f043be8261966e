"""Objects found on the tasks of a Label Studio project, stored as predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backend.coco.images import ImageFiles
from backend.finding import prediction
from backend.image_decoding import decode_image
from backend.label_config import LabelConfig
from backend.label_studio_api import LabelStudioApi
from mfp_model.errors import ImageError

if TYPE_CHECKING:
    from backend.finding import FindLayers
    from mfp_model.inpainting.loop import LayeredObject

_PAGE = 50

Report = Callable[[], None]


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
class Annotator:
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
    annotator: Annotator,
    api: LabelStudioApi,
    project: int,
    config: LabelConfig,
    sources: ImageFiles,
    *,
    polygon_error_px: float,
    report: Report,
) -> AnnotateSummary:
    """Store a prediction for each task that has none of this version.

    So what was cut goes on where it was.

    Args:
        annotator: What finds objects.
        api: The Label Studio.
        project: The project's id.
        config: Its label configuration; the objects go to the first image's mask control.
        sources: What reads images.
        polygon_error_px: How far a polygon may be from the mask's edge.
        report: Called after every task.

    Raises:
        LabelConfigError: The configuration has no place for a mask.
        LabelStudioError: Label Studio cannot be reached, or refuses.
    """
    summary = AnnotateSummary()
    image_name, key = next(iter(config.image_keys.items()), ("", ""))
    control = config.control_for(image_name)
    for task in _tasks(api, project):
        if any(one.get("model_version") == annotator.version for one in task["predictions"]):
            summary.skipped += 1
            report()
            continue
        try:
            content = sources.read(str(task["data"].get(key, "")), str(task["id"]))
            layers = annotator.layers(content)
        except ImageError as error:
            summary.problems.append(f"task {task['id']}: {error}")
        else:
            version = annotator.version
            found = prediction(layers, control, version=version, polygon_error_px=polygon_error_px)
            api.add_prediction(int(task["id"]), found)
            summary.add(layers)
        report()
    return summary


def _tasks(api: LabelStudioApi, project: int) -> Iterator[dict[str, Any]]:
    last = -1
    while page := api.tasks_after(project, last, limit=_PAGE):
        last = int(page[-1]["id"])
        yield from page
