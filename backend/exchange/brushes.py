"""COCO annotations -> Label Studio's brush predictions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from backend.label_studio.controls import MaskControl
from backend.label_studio.label_config import LabelConfig
from backend.label_studio.rows import RowFields, brush_rows
from mfp_model.data.coco_data import CocoAnnotation, CocoImage
from mfp_model.errors import DataError
from mfp_model.masks.runs import MaskRuns


def brush_control(config: LabelConfig) -> MaskControl:
    """Return the control that brush predictions belong to.

    Raises:
        DataError: The configuration has none.
    """
    for control in config.controls:
        if control.kind == "brush":
            return control
    raise DataError("the label configuration has no <BrushLabels> and no <Brush>")


def brush_prediction(
    image: CocoImage, control: MaskControl
) -> Iterator[list[dict[str, Any]] | DataError]:
    """Yield the rows of each object, and an error in place of each that has none."""
    for annotation in image.objects:
        try:
            yield _rows(image, annotation, control)
        except DataError as error:
            yield DataError(f"{image.file_name}: annotation {annotation.id}: {error}")


def _rows(
    image: CocoImage, annotation: CocoAnnotation, control: MaskControl
) -> list[dict[str, Any]]:
    name, entry = annotation.category, annotation.entry
    if name is None:
        raise DataError(f"category_id={entry.get('category_id')!r:.20}: unknown")
    label = control.written(name)
    if control.labels and label is None:
        raise DataError(f"category {name!r:.60}: expected one of {', '.join(control.labels)}"[:300])
    score, order = entry.get("score"), entry.get("order")
    if score is not None and not (isinstance(score, int | float) and math.isfinite(score)):
        raise DataError(f"score={score!r:.40}, expected a finite number")
    fields = RowFields(
        control=control,
        labels=(label,) if control.labels and label is not None else (),
        score=score,
        order=order if isinstance(order, int) else 0,
    )
    rows = brush_rows(MaskRuns.of(image.mask(annotation)), fields)
    if not rows:
        raise DataError("a mask without a pixel")
    return rows
