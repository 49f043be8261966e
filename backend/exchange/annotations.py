"""COCO annotations -> Label Studio's rows, in the controls that an export reads them from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.exchange.pages import MAX_PAGES
from backend.label_studio.controls import MaskControl
from backend.label_studio.label_config import LabelConfig
from backend.label_studio.rows import Row, RowFields, brush_rows, polygon_rows
from mfp_model.data.coco_data import CocoAnnotation, CocoImage
from mfp_model.data.coco_rows import is_number
from mfp_model.errors import DataError
from mfp_model.masks.polygons import polygon_iou, polygons_of
from mfp_model.masks.runs import MaskRuns

_OUTLINE_ERROR_PX = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenMask:
    """A mask as Label Studio takes it.

    Attributes:
        rows: Of the result.
        polygon_iou: IoU of its outlines with the mask; None for a brush, which is exact.
    """

    rows: list[Row]
    polygon_iou: float | None = None


class MaskWriter:
    """Writes masks into the controls of a label configuration."""

    def __init__(self, config: LabelConfig) -> None:
        """Prepare.

        Raises:
            DataError: The configuration has no place for a mask.
        """
        self._controls = (*config.controls, *config.plain)
        if not self._controls:
            raise DataError(
                "the label configuration has no <BrushLabels>, <Brush>, <PolygonLabels> or "
                "<Polygon> for masks"
            )

    def written(
        self,
        image: CocoImage,
        annotation: CocoAnnotation,
        *,
        to_name: str,
        page: int | None,
        turn: int,
    ) -> WrittenMask:
        """Return the rows of an annotation.

        A brush is exact, so it comes before a polygon of the same label.

        Args:
            image: The annotation's.
            annotation: The annotation.
            to_name: Name of the image in the configuration.
            page: Index of the image in a list of images, None for one image.
            turn: See `CocoImage.turn`.

        Raises:
            DataError: No control takes its category, or it has no pixel or a damaged score.
        """
        control, label = self._control(annotation, to_name)
        score, order = annotation.entry.get("score"), annotation.entry.get("order")
        if score is not None and not is_number(score):
            raise DataError(f"score={score!r:.40}, expected a finite number")
        fields = RowFields(
            control=control,
            labels=() if label is None else (label,),
            score=score,
            order=order if isinstance(order, int) else 0,
            is_crowd=annotation.is_crowd,
            page=page,
        )
        mask = image.shown_mask(annotation, turn)
        if not mask.any():
            raise DataError("a mask without a pixel")
        if control.kind == "brush":
            return WrittenMask(rows=brush_rows(MaskRuns.of(mask), fields))
        polygons = polygons_of(mask, max_error_px=_OUTLINE_ERROR_PX)
        rows = polygon_rows(polygons, fields, height=mask.shape[0], width=mask.shape[1])
        return WrittenMask(rows=rows, polygon_iou=polygon_iou(polygons, mask))

    def _control(self, annotation: CocoAnnotation, to_name: str) -> tuple[MaskControl, str | None]:
        """The control that has the category, and how results write it."""
        name = annotation.category
        if name is None:
            raise DataError(f"category_id={annotation.entry.get('category_id')!r:.20}: unknown")
        controls = [control for control in self._controls if control.to_name == to_name]
        controls.sort(key=lambda control: control.kind)  # brush, polygon
        for control in controls:
            written = control.names_by_value.get(name)
            if written is not None or (control.is_plain and name == control.name):
                return control, written
        for control in controls:  # of other tools, which have aliases
            if not control.is_plain and (written := control.written(name)) is not None:
                return control, written
        expected = dict.fromkeys(
            label
            for control in controls
            for label in ((control.name,) if control.is_plain else control.names_by_value)
        )
        raise DataError(f"category {name!r:.60}: expected one of {', '.join(expected)}"[:300])


def image_source(image: CocoImage) -> dict[str, Any]:
    """Return what an export told of where an image comes from, nothing where it told nothing.

    An index that no page has is left out.
    """
    source = image.entry.get("label_studio")
    if not isinstance(source, dict):
        return {}
    index = source.get("index")
    is_page = type(index) is int and 0 <= index < MAX_PAGES
    return {**source, "index": index if is_page else None}
