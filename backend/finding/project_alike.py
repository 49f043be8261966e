"""All objects of a project that look like one on one of its tasks, as predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.exchange.annotation_choice import ChoiceRules, chosen, newest_predictions
from backend.exchange.tasks import labeled_task
from backend.finding.project import AnnotateSummary
from backend.images.decoding import decode_image
from backend.label_studio.controls import MaskControl
from backend.label_studio.label_config import LabelConfig
from backend.label_studio.regions import MaskRegion, regions_of
from backend.label_studio.rows import Row, RowFields, mask_rows, result
from backend.label_studio.shapes import region_mask
from mfp_model.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mfp_model.finding.alike import AlikeObject

    # An image, and where objects are already -> those that look like the example.
    FindAlike = Callable[[NDArray[np.uint8], NDArray[np.bool_]], list[AlikeObject]]


def region_of(task: Mapping[str, Any], region: str) -> MaskRegion:
    """Return a region of a task by its id, whoever made it.

    Args:
        task: As Label Studio's API has it.
        region: Its id.

    Raises:
        DataError: The task has no such region, or it is damaged.
    """
    labeled = labeled_task(task)
    sources = [*chosen(labeled, ChoiceRules(annotators="all"), Counter())]
    for source in (*sources, *newest_predictions(labeled, Counter())):
        for mask_region in regions_of(source.result, Counter()):
            if isinstance(mask_region, MaskRegion) and mask_region.id == region:
                return mask_region
    raise DataError(f"task {task['id']}: no region {region!r:.60}; its details show a region's id")


class ProjectAlike:
    """Makes a prediction of what looks like an example, for `backend.finding.task_work`."""

    def __init__(
        self,
        find: FindAlike,
        config: LabelConfig,
        example: MaskRegion,
        *,
        version: str,
        max_megapixels: float,
        polygon_error_px: float,
    ) -> None:
        """Prepare.

        Args:
            find: Finds the objects of an image.
            config: The project's label configuration.
            example: Its label is that of what is found.
            version: The model version of the predictions.
            max_megapixels: Larger images are problems.
            polygon_error_px: How far a polygon may be from the mask's edge.

        Raises:
            LabelConfigError: The configuration has no place for masks with the example's label.
        """
        self._find = find
        self._image_name = next(iter(config.image_values), "")
        self._control = config.control_for(self._image_name, labels=example.labels)
        self._labels = config.named(example.labels, self._control, "") or ()
        self._max_megapixels = max_megapixels
        self._error_px = polygon_error_px
        self.version = version

    def entry(
        self, task: Mapping[str, Any], content: bytes, summary: AnnotateSummary
    ) -> dict[str, Any]:
        """Return a prediction with the objects found, none over masks that are there.

        Raises:
            ImageError: The file is no usable image.
        """
        image = decode_image(content, max_megapixels=self._max_megapixels)
        objects = self._find(image, self._taken(task, image))
        summary.images += 1
        summary.objects += len(objects)
        rows = [row for alike in objects for row in self._rows(alike, self._control)]
        scores = [alike.score for alike in objects]
        score = round(float(np.mean(scores)), 4) if scores else 0.0
        return result(rows, score=score, version=self.version)

    def _taken(self, task: Mapping[str, Any], image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where people have made masks on the image; what cannot be read is no obstacle."""
        taken = np.zeros(image.shape[:2], dtype=np.bool_)
        for source in chosen(labeled_task(task), ChoiceRules(), Counter()):
            for region in regions_of(source.result, Counter()):
                if isinstance(region, MaskRegion) and self._is_obstacle(region, taken.shape):
                    with suppress(DataError):
                        taken |= region_mask(region)
        return taken

    def _is_obstacle(self, region: MaskRegion, size: tuple[int, ...]) -> bool:
        """Whether it is a mask on the task's first image, of its size."""
        is_mask = region.kind in ("brush", "polygon") and (region.height, region.width) == size
        return is_mask and region.is_on_first(self._image_name)

    def _rows(self, alike: AlikeObject, control: MaskControl) -> list[Row]:
        fields = RowFields(control=control, labels=self._labels, score=round(alike.score, 4))
        return mask_rows(alike.runs, fields, max_error_px=self._error_px)
