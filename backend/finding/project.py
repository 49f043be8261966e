"""Every object on the tasks of a Label Studio project, as predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backend.finding.answer import prediction
from backend.images.decoding import decode_image
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


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryTask:
    """Any task has something to do.

    Attributes:
        version: The model version of the predictions.
    """

    version: str

    def new_summary(self) -> AnnotateSummary:
        """Return a summary of nothing."""
        return AnnotateSummary()

    def wants(self, task: Mapping[str, Any], summary: AnnotateSummary) -> bool:
        """Return True."""
        return True


class ProjectObjects:
    """Makes a prediction of every object of a task, for `backend.finding.task_work`."""

    def __init__(
        self, finder: ObjectFinder, config: LabelConfig, *, polygon_error_px: float
    ) -> None:
        """Prepare.

        Args:
            finder: What finds objects.
            config: The project's label configuration; objects go to the first image's mask control.
            polygon_error_px: How far a polygon may be from the mask's edge.

        Raises:
            LabelConfigError: The configuration has no place for a mask.
        """
        self._finder = finder
        self._control = config.control_for(next(iter(config.image_values), ""))
        self._error_px = polygon_error_px
        self.version = finder.version

    def entry(
        self, task: Mapping[str, Any], content: bytes, summary: AnnotateSummary
    ) -> dict[str, Any]:
        """Return a prediction of the objects.

        Raises:
            ImageError: The file is no usable image.
        """
        layers = self._finder.layers(content)
        summary.add(layers)
        return prediction(
            layers, self._control, version=self.version, polygon_error_px=self._error_px
        )
