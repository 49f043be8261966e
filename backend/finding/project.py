"""Objects found on the tasks of a Label Studio project, stored as predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backend.finding.answer import prediction
from backend.finding.storing import Report, store_predictions
from backend.images.decoding import decode_image
from backend.images.sources import ImageFiles
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.controls import MaskControl
from backend.label_studio.label_config import LabelConfig

if TYPE_CHECKING:
    from backend.finding.answer import FindLayers
    from mfp_model.finding.layers import LayeredObject


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
    """Store a prediction of every object for each task that has none of this version.

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
    control = config.control_for(next(iter(config.image_values), ""))
    objects = _Objects(object_finder, control, polygon_error_px)
    store_predictions(objects, api, project, config, sources, batch=batch, report=report)
    return objects.summary


class _Objects:
    """Every object of a task."""

    def __init__(self, finder: ObjectFinder, control: MaskControl, error_px: float) -> None:
        self._finder = finder
        self._control = control
        self._error_px = error_px
        self.version = finder.version
        self.summary = AnnotateSummary()

    def wants(self, task: Mapping[str, Any]) -> bool:
        return True

    def entry(self, task: Mapping[str, Any], content: bytes) -> dict[str, Any]:
        layers = self._finder.layers(content)
        self.summary.add(layers)
        return prediction(
            layers, self._control, version=self.version, polygon_error_px=self._error_px
        )
