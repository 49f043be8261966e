"""Single rows of COCO files, checked."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from mfp_model.data.coco_layout import IMAGES, file_name, leads_out
from mfp_model.errors import DataError
from mfp_model.masks.rle import MAX_PIXELS, check_segmentation

Id = int | str
_CROWD_KEYS = ("iscrowd", "ignore")


def row_id(row: Any, name: str) -> Id:  # noqa: ANN401, JSON
    """Return the id that a row has under a name; tools that count in tables write `1.0` for 1.

    Raises:
        DataError: The row is no object, or the value neither a whole number nor a text.
    """
    if not isinstance(row, dict):
        raise DataError(f"{row!r:.40}, expected an object")
    value = row.get(name)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataError(f"{name}={value!r:.40}, expected a number")
    return value


def checked_image(row: dict[str, Any]) -> dict[str, Any]:
    """Return an image's row with its size in whole numbers.

    Raises:
        DataError: The size is none, or the file lies outside of `images/`.
    """
    size = {}
    for name in ("height", "width"):
        value = row.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            raise DataError(f"{name}={value!r:.40}, expected a whole number of pixels")
        size[name] = int(value)
    if min(size.values()) < 1 or size["height"] * size["width"] > MAX_PIXELS:
        raise DataError(f"{size['width']}x{size['height']}, expected 1..{MAX_PIXELS} pixels")
    name = file_name(row)
    if not name or "\0" in name or leads_out(name) or not _can_be_a_file(name):
        raise DataError(f"file_name={row.get('file_name')!r:.80}, expected a file in {IMAGES}/")
    return {**row, **size}


def _can_be_a_file(name: str) -> bool:
    """Whether a name has no half of a letter, as JSON can write it and no file is called."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def check_annotation(row: Mapping[str, Any], *, height: int, width: int) -> None:
    """Refuse an annotation whose values are none of COCO's.

    Raises:
        DataError: The segmentation is damaged, or whether it is a crowd is no truth value.
    """
    _check_crowd(row)
    check_segmentation(row.get("segmentation"), height=height, width=width)


def check_box(row: Mapping[str, Any], *, height: int, width: int) -> None:
    """Refuse an annotation whose box is none of COCO's, or has nothing of the image in it.

    Raises:
        DataError: As it says.
    """
    _check_crowd(row)
    box: Any = row.get("bbox")
    is_box = isinstance(box, list) and len(box) == 4 and all(map(is_number, box))
    if not is_box or box[2] <= 0 or box[3] <= 0:
        raise DataError(f"bbox={box!r:.80}, expected x, y, width and height")
    left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        raise DataError(f"bbox={box!r:.80}, outside of the image's {width}x{height}")


def is_number(value: object) -> bool:
    """Return whether a value is a number that a float can hold, and finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of any length
        return False


def _check_crowd(row: Mapping[str, Any]) -> None:
    for name in _CROWD_KEYS:
        if row.get(name) not in (0, 1, None):
            raise DataError(f"{name}={row[name]!r:.40}, expected 0 or 1")


def is_crowd(row: Mapping[str, Any]) -> bool:
    """Return whether a checked annotation is a group of objects."""
    return any(row.get(name) for name in _CROWD_KEYS)
