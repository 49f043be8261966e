"""Seed strokes: what an annotator painted to say "object" and "not object".

Label Studio's page sends no request about brush strokes. They come with clicks, in what was saved
of the annotation, which the page saves five seconds after a change. So strokes count from the next
click on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.label_studio.brush import brush_mask, painted_px
from backend.label_studio.label_config import LabelConfig
from backend.label_studio.page import Annotation
from backend.label_studio.regions import MAX_PIXELS
from mfp_model.errors import DataError
from mfp_model.masks.rle import stroke_of
from mfp_model.prompts import Stroke

_PASSES = 10  # over the image, to read one stroke and to find its middle
_MAX_READ_PX = 10_000_000_000  # 80 strokes on 12 megapixels


def seed_strokes(
    annotation: Annotation, config: LabelConfig, image_name: str, *, height: int, width: int
) -> tuple[Stroke, ...]:
    """Return the seed strokes of an annotation, those on the object first.

    Args:
        annotation: The one that is being clicked in.
        config: Names the controls whose strokes are seeds.
        image_name: The image that is clicked on.
        height: Rows of the image.
        width: Columns of the image.

    Raises:
        DataError: A stroke is damaged, or of an image of another size, or there are too many.
        BrushRleError: Its RLE is.
    """
    rows = [
        (row, signs)
        for row in annotation.rows
        if isinstance(row, dict) and row.get("to_name") == image_name
        if (signs := config.seeds.get(str(row.get("from_name")))) is not None
    ]
    values = [_value(row, height=height, width=width) for row, _ in rows]
    size = {"height": height, "width": width}
    n_pixels = sum(_PASSES * height * width + painted_px(value, **size) for value in values)
    if n_pixels > _MAX_READ_PX:
        raise DataError(
            f"{len(values)} strokes on {width}x{height}: {n_pixels} pixels to read and paint, at "
            f"most {_MAX_READ_PX}"
        )
    signed = zip(values, (signs for _, signs in rows), strict=True)
    strokes = [_stroke(value, signs, **size) for value, signs in signed]
    painted = [stroke for stroke in strokes if stroke is not None]
    return tuple(sorted(painted, key=lambda stroke: not stroke.is_positive))


def _value(row: Mapping[str, Any], *, height: int, width: int) -> dict[str, Any]:
    """The brush of a row, of this size."""
    value, name = row.get("value"), f"stroke {row.get('id')!r:.40}"
    if not isinstance(value, dict):
        raise DataError(f"{name}: expected a brush")
    if (row.get("original_width"), row.get("original_height")) != (width, height):
        raise DataError(f"{name}: of an image of another size")
    if height * width > MAX_PIXELS:  # the image's own limit comes later
        raise DataError(f"{name}: on {width}x{height} pixels, expected at most {MAX_PIXELS}")
    return value


def _stroke(
    value: Mapping[str, Any], signs: Mapping[str, bool], *, height: int, width: int
) -> Stroke | None:
    """The stroke; None for one without a pixel or a known label."""
    mask = brush_mask(value, height=height, width=width)
    labels = value.get("brushlabels")
    listed = labels if isinstance(labels, list) else []
    signed = [signs[label] for label in listed if isinstance(label, str) and label in signs]
    if not signed or not mask.any():
        return None
    return stroke_of(mask, is_positive=all(signed))
