"""Answers without clicks: every object that a finder sees, those behind others marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.images.loader import ImageLoader
from backend.label_studio.controls import MaskControl
from backend.label_studio.request import TaskRequest
from backend.label_studio.rows import RowFields, empty_result, mask_rows, result
from backend.monitoring.telemetry import Telemetry
from mfp_model.errors import MfpError
from mfp_model.masks.runs import MaskRuns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mfp_model.finding.layers import LayeredObject

    FindLayers = Callable[[NDArray[np.uint8]], list[LayeredObject]]
    MakeFinder = Callable[[str, str, str], tuple[str, FindLayers]]


class TaskFinder:
    """Finds the objects of tasks."""

    def __init__(
        self,
        images: ImageLoader,
        make: MakeFinder,
        telemetry: Telemetry,
        *,
        polygon_error_px: float,
    ) -> None:
        """Find objects.

        Args:
            images: Where they are looked for.
            make: Returns version and function of a finder by its name, the inpainter's, and the
                project's id.
            telemetry: Told of what fails.
            polygon_error_px: How far a polygon may be from the mask's edge.
        """
        self._images = images
        self._make = make
        self._telemetry = telemetry
        self._polygon_error_px = polygon_error_px

    def answer(self, task: TaskRequest, control: MaskControl) -> dict[str, Any]:
        """Return one entry of `results` with every object found; an error leaves it empty.

        Args:
            task: Whose image is looked at.
            control: What the objects belong to.
        """
        assert control.finder is not None
        try:
            version, find = self._make(control.finder, control.inpainter, task.project)
            image = self._images.load(task.image, task_id=task.task_id)
            layers = find(image.pixels)
        except MfpError as error:  # the other tasks of the request have theirs
            self._telemetry.failed(error, during=f"finding objects of task {task.task_id}")
            return empty_result()
        return prediction(
            layers,
            control,
            version=version,
            polygon_error_px=self._polygon_error_px,
            page=task.image_index,
        )


def prediction(
    layers: list[LayeredObject],
    control: MaskControl,
    *,
    version: str,
    polygon_error_px: float,
    page: int | None = None,
) -> dict[str, Any]:
    """Return objects as one prediction of Label Studio, front first.

    Args:
        layers: The objects.
        control: What they belong to.
        version: The finder's.
        polygon_error_px: How far a polygon may be from the mask's edge.
        page: Index of the image in a task of several pages, None for one image.
    """
    rows = [row for layer in layers for row in _rows(layer, control, polygon_error_px, page)]
    return result(rows, score=round(_certainty(layers), 4), version=version)


def _certainty(layers: list[LayeredObject]) -> float:
    """How sure the finder is of the image, 0..1: the mean over its pixels of the object's score.

    Where no object was found it is 0: either there is none, or it was overlooked.
    """
    sure = [layer.whole.score * layer.visible for layer in layers]
    return float(np.max(sure, axis=0).mean()) if sure else 0.0


def _rows(
    layer: LayeredObject, control: MaskControl, error_px: float, page: int | None
) -> list[dict[str, Any]]:
    label = control.written(layer.whole.label) or next(iter(control.labels), None)
    fields = RowFields(
        control=control,
        labels=() if label is None else (label,),
        page=page,
        score=round(layer.whole.score, 4),
        order=layer.order,
    )
    return mask_rows(MaskRuns.of(layer.whole.mask), fields, max_error_px=error_px)
