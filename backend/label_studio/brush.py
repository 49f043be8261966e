"""A brush region's value -> its pixels.

What is saved by submitting is a brush RLE. What the page saves as a draft is the RLE that was
there before, and the strokes painted or erased since, as lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.label_studio import brush_rle
from backend.label_studio.stroke_pixels import Floats, covered_runs, n_rows
from mfp_model.errors import DataError

_MAX_THRESHOLD = 128  # the eraser's soft edge leaves 1 to 254
_MAX_PAINTED_PX = 10_000_000_000  # some seconds; 800 strokes of 40 points on 12 megapixels
_STROKE_PX, _ROW_PX = 500_000, 2500  # so many pixels take as long as a stroke, or a row of a step
_LIMIT_PERCENT = 1000.0  # a stroke may leave the image, but not for this far

_Stroke = tuple[Floats, float, str]  # see `_stroke`


def brush_mask(value: Mapping[str, Any], *, height: int, width: int) -> NDArray[np.bool_]:
    """Return the pixels of a brush region's value, bool `[height, width]`.

    Of an RLE that are those at least half as opaque as the most opaque one, or half opaque: what
    other programs wrote with little opacity is visible on the page, too.

    Args:
        value: With `rle`, `touches`, or both.
        height: Rows of the image.
        width: Columns of the image.

    Raises:
        DataError: It has neither, or is damaged.
        BrushRleError: The RLE is damaged, or of another size.
    """
    rle, touches = value.get("rle"), value.get("touches") or []
    if value.get("maskDataURL"):
        raise DataError(
            "brush with an embedded picture: not read; "
            "submit it once, so that it is saved as a mask"
        )
    if not isinstance(touches, list) or not isinstance(rle, list | None) or not (rle or touches):
        raise DataError("brush: expected a list rle, touches, or both")
    size = {"height": height, "width": width}
    mask = _solid(brush_rle.decode(rle, **size)) if rle else np.zeros((height, width), dtype=bool)
    strokes = _strokes(value, **size)
    if _n_painted(strokes, height=height) > _MAX_PAINTED_PX:
        raise DataError(
            f"brush of {len(touches)} strokes: more than {_MAX_PAINTED_PX} pixels to paint; "
            "submit it once, so that it is saved as a mask"
        )
    for stroke in strokes:
        _paint(mask, *stroke)
    return mask


def _solid(alpha: NDArray[np.uint8]) -> NDArray[np.bool_]:
    half = (int(alpha.max(initial=0)) + 1) // 2
    solid: NDArray[np.bool_] = alpha >= min(_MAX_THRESHOLD, max(1, half))
    return solid


def painted_px(value: Mapping[str, Any], *, height: int, width: int) -> int:
    """Return how many pixels are to be painted for a brush's strokes, about; no RLE is any.

    Args:
        value: Of the brush region.
        height: Rows of the image.
        width: Columns of the image.

    Raises:
        DataError: A stroke is damaged.
    """
    size = {"height": height, "width": width}
    return _n_painted(_strokes(value, **size), height=height)


def _n_painted(strokes: list[_Stroke], *, height: int) -> int:
    """Pixels to be painted, about: a wide line for each step, a disc for each end."""
    n_pixels = 0
    for line, thickness_px, _ in strokes:
        steps = float(np.abs(np.diff(line, axis=0)).sum())
        n_pixels += int(thickness_px * (steps + len(line) * thickness_px))
        n_pixels += _STROKE_PX + _ROW_PX * n_rows(line, thickness_px, height=height)
    return n_pixels


def _strokes(value: Mapping[str, Any], *, height: int, width: int) -> list[_Stroke]:
    touches = value.get("touches")
    listed = touches if isinstance(touches, list) else []
    return [_stroke(touch, height=height, width=width) for touch in listed]


def _stroke(touch: object, *, height: int, width: int) -> _Stroke:
    """Points and width in pixels, and whether it adds or erases."""
    try:
        points = np.array(touch["relativePoints"], dtype=np.float64).reshape(-1, 2)  # type: ignore[index]
        thickness = float(touch["relativeStrokeWidth"])  # type: ignore[index]
        kind = touch["type"]  # type: ignore[index]
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise DataError(f"brush stroke: expected points and a width, got {error!r:.200}") from None
    is_sane = np.isfinite(points).all() and (np.abs(points) <= _LIMIT_PERCENT).all()
    if not is_sane or not 0 <= thickness <= _LIMIT_PERCENT or kind not in ("add", "eraser"):
        raise DataError(
            f"brush stroke: {kind!r:.20}, {thickness:g} percent wide, or points far off"
        )
    return points * [width, height] / 100, max(1.0, thickness * width / 100), kind


def _paint(mask: NDArray[np.bool_], line: Floats, thickness_px: float, kind: str) -> None:
    """Paint a stroke, or erase along it, with round ends."""
    if not len(line):
        return
    height, width = mask.shape
    for runs in covered_runs(line, thickness_px, height=height, width=width):
        for row, first, stop in zip(*(part.tolist() for part in runs), strict=True):
            mask[row, first:stop] = kind == "add"
