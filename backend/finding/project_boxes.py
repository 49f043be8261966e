"""Rectangles that are on a project's tasks -> masks of what lies in them, as predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from backend.exchange.annotation_choice import ChoiceRules, chosen, newest_predictions
from backend.exchange.tasks import labeled_task
from backend.images.decoding import decode_image
from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.label_config import LabelConfig
from backend.label_studio.regions import MaskRegion, regions_of
from backend.label_studio.rows import Row, RowFields, mask_rows, result
from backend.label_studio.shapes import rectangle_corners
from mfp_model.errors import DataError, PromptError
from mfp_model.masks.runs import MaskRuns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mfp_model.finding.boxes import BoxedMask

    # An image and a box's corners -> its mask.
    MaskInBox = Callable[[NDArray[np.uint8], NDArray[np.float64]], BoxedMask]

LOW_BOX_IOU = 0.7  # of a mask's own box with the given one: worth a look
_RULES = ChoiceRules()


@dataclass(slots=True, kw_only=True)
class BoxSummary:
    """What was done.

    Attributes:
        images: Images with boxes that were worked on.
        masks: Boxes that have a mask now.
        low: Masks whose own box has an IoU below 0.7 with the given one.
        without_boxes: Images that have no box.
        skipped: Images that were done before.
        box_ious: The IoU of each mask's own box with the given one.
        problems: What could not be used, and why.
    """

    images: int = 0
    masks: int = 0
    low: int = 0
    without_boxes: int = 0
    skipped: int = 0
    box_ious: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, box_iou: float) -> None:
        """Count a mask."""
        self.masks += 1
        self.low += box_iou < LOW_BOX_IOU
        self.box_ious.append(box_iou)

    def figures(self) -> dict[str, Any]:
        """Return the numbers, those of the IoUs summed up; None for no mask."""
        figures = asdict(self)
        figures["problems"] = len(self.problems)
        ious = figures.pop("box_ious")
        mean = sum(ious) / len(ious) if ious else None
        return {**figures, "mean_box_iou": mean, "least_box_iou": min(ious, default=None)}


class BoxTasks:
    """The rectangles of a project's tasks; tasks without any are left out."""

    def __init__(self, config: LabelConfig, *, version: str = "") -> None:
        """Read them.

        Args:
            config: The project's label configuration.
            version: The model version of the predictions.
        """
        self._image_name = next(iter(config.image_values), "")
        self.version = version

    def new_summary(self) -> BoxSummary:
        """Return a summary of nothing."""
        return BoxSummary()

    def wants(self, task: Mapping[str, Any], summary: BoxSummary) -> bool:
        """Return whether the task has a box."""
        has_boxes = bool(self.boxes(task))
        summary.without_boxes += not has_boxes
        return has_boxes

    def boxes(self, task: Mapping[str, Any]) -> list[tuple[MaskRegion, float | None]]:
        """Return what people made last, or else the newest prediction's; each with its score."""
        labeled = labeled_task(task)
        for source in (
            *chosen(labeled, _RULES, Counter()),
            *newest_predictions(labeled, Counter()),
        ):
            regions = [
                (region, source.score if region.score is None else region.score)
                for region in regions_of(source.result, Counter())
                if isinstance(region, MaskRegion) and self._is_box(region)
            ]
            if regions:
                return regions
        return []

    def _is_box(self, region: MaskRegion) -> bool:
        return region.kind == "rectangle" and region.is_on_first(self._image_name)


class ProjectBoxes:
    """Makes a prediction of a task's boxes, for `backend.finding.task_work`."""

    def __init__(
        self,
        mask_in_box: MaskInBox,
        config: LabelConfig,
        *,
        version: str,
        max_megapixels: float,
        polygon_error_px: float,
    ) -> None:
        """Prepare.

        Args:
            mask_in_box: Gives the mask of what lies in a box.
            config: The project's label configuration.
            version: The model version of the predictions.
            max_megapixels: Larger images are problems.
            polygon_error_px: How far a polygon may be from the mask's edge.
        """
        self._mask_in_box = mask_in_box
        self._config = config
        self._tasks = BoxTasks(config, version=version)
        self._image_name = next(iter(config.image_values), "")
        self._max_megapixels = max_megapixels
        self._error_px = polygon_error_px
        self.version = version

    def entry(
        self, task: Mapping[str, Any], content: bytes, summary: BoxSummary
    ) -> dict[str, Any] | None:
        """Return a prediction with a mask for each box; its score is the least box IoU.

        Raises:
            ImageError: The file is no usable image.
        """
        image = decode_image(content, max_megapixels=self._max_megapixels)
        summary.images += 1
        rows, least = list[Row](), 1.0
        for region, score in self._tasks.boxes(task):
            try:
                made, box_iou = self._rows(region, score, image)
            except (DataError, PromptError, LabelConfigError) as error:
                summary.problems.append(f"task {task['id']}: region {region.id}: {error}")
                least = 0.0
                continue
            summary.add(box_iou)
            rows += made
            least = min(least, box_iou)
        return result(rows, score=round(least, 4), version=self.version) if rows else None

    def _rows(
        self, region: MaskRegion, score: float | None, image: NDArray[np.uint8]
    ) -> tuple[list[Row], float]:
        """A mask's rows, with the box's label and score, and the IoU of its box."""
        height, width = image.shape[:2]
        if (region.height, region.width) != (height, width):
            raise DataError(
                f"made on {region.width}x{region.height}, the image is {width}x{height}"
            )
        control = self._config.control_for(self._image_name, labels=region.labels)
        labels = self._config.named(region.labels, control, "") or ()
        if control.labels and not labels:
            if len(control.labels) > 1:
                raise DataError(f"no label: expected one of {', '.join(control.labels):.200}")
            labels = control.labels
        boxed = self._mask_in_box(image, rectangle_corners(region))
        if not boxed.mask.any():
            raise DataError("the mask is empty")
        fields = RowFields(
            control=control,
            labels=labels,
            page=region.item_index,
            score=score,
            notes=(f"box IoU {boxed.box_iou:.2f}",),
        )
        rows = mask_rows(MaskRuns.of(boxed.mask), fields, max_error_px=self._error_px)
        return rows, boxed.box_iou
