"""Rows of a Label Studio result -> regions, each one object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from backend.label_studio.relations import is_relation
from mfp_model.data.coco_rows import is_number
from mfp_model.errors import DataError

KINDS = ("brush", "polygon", "rectangle", "ellipse")
_MARKS = {  # of a brush any: a draft has what was painted since, and no RLE of what is all new
    "brush": ("rle", "touches", "maskDataURL"),
    "polygon": ("points",),
    "ellipse": ("radiusX",),
    "rectangle": ("height",),
}
CROWD_NOTE = "crowd"  # of a region
MAX_SIDE_PX = 1_000_000  # of an image, as rows and points say it
MAX_PIXELS = 200_000_000  # of an image whose masks a request carries


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRegion:
    """One object as a person left it.

    Attributes:
        id: Label Studio's id.
        kind: `brush`, `polygon`, `rectangle` or `ellipse`.
        value: The shape, coordinates in percent of the image.
        labels: Its labels, in order.
        from_name: The control that it was made with.
        to_name: The image's name; empty where the row does not tell.
        width: Width in pixels of the image as the page showed it.
        height: Height likewise.
        origin: `manual`, `prediction` (a model's, as it was) or `prediction-changed`.
        score: The model's, where the row has one.
        item_index: Which image of a list of images, None where there is no list.
        is_crowd: Its note says that it is a group of objects (`crowd`).
        is_readonly: It was imported so that nobody changes it (`readonly`).
    """

    id: str
    kind: str
    value: Mapping[str, Any]
    labels: tuple[str, ...]
    from_name: str
    to_name: str
    width: int
    height: int
    origin: str
    score: float | None = None
    item_index: int | None = None
    is_crowd: bool = False
    is_readonly: bool = False

    def is_on_first(self, image_name: str) -> bool:
        """Return whether it lies on an image of this name, the first one where it is a list."""
        return self.to_name in ("", image_name) and not self.item_index


def regions_of(result: object, left_out: Counter[str]) -> Iterator[MaskRegion | DataError]:
    """Yield the regions of a result, and an error in place of each one that is damaged.

    A generic `<Labels>` writes two rows of one id, which make one region. Points, and the masks
    that the page copies into `keypointlabels` rows, are no objects: they are counted by type in
    `left_out`, as are rows that belong to no shape, such as choices and relations. What is said of
    a region, as by choices, repeats its shape in a row of its id. A point that was placed while a
    mask was selected is a row of the mask's type, without a shape. Rows without an id, or with an
    empty one, are a region each, as on the page.
    """
    if not isinstance(result, list):
        yield DataError(f"result: expected a list, got {type(result).__name__}")
        return
    of_shape = [row for row in result if _is_readable(row) and _kind(row) is not None]
    shaped = {str(row["id"]) for row in of_shape if row.get("id")}
    by_id: dict[str | int, list[Mapping[str, Any]]] = {}  # those without an id by their place
    for index, row in enumerate(result):
        if is_relation(row):
            left_out["relation rows"] += 1
        elif not _is_readable(row):
            yield DataError(f"row {index}: expected an object with a value, got {row!r:.60}")
        elif str(row.get("type")).startswith("bitmask"):
            yield DataError(f"region {row.get('id')}: bitmask regions are not read")
        elif _kind(row) is None and _shows(row, "brush") and not _is_copy(row, shaped):
            yield DataError(f"region {row.get('id')}: {row.get('type')!r:.40} masks are not read")
        elif _kind(row) is None:
            left_out[f"{str(row.get('type'))[:40]} rows"] += 1
        elif _is_point(row):
            left_out[f"points in {str(row.get('type'))[:40]} rows"] += 1
        else:
            key = str(row["id"]) if row.get("id") else index
            by_id.setdefault(key, []).append(row)
    for region_id, rows in by_id.items():
        try:
            yield _region(str(region_id), rows, left_out)
        except DataError as error:
            yield DataError(f"region {region_id}: {error}")


def _kind(row: Mapping[str, Any]) -> str | None:
    """The row's shape, or None for what is no object."""
    kind = str(row.get("type")).removesuffix("labels")
    if kind in KINDS:
        return kind
    if kind == "":  # a generic label's row repeats the shape
        return next((kind for kind in _MARKS if _shows(row, kind)), None)
    return None


def _shows(row: Mapping[str, Any], kind: str) -> bool:
    """Whether a row with a value has such a shape in it."""
    return any(mark in row["value"] for mark in _MARKS[kind])


def is_of_shape(row: Mapping[str, Any]) -> bool:
    """Return whether a row with a value has a region's shape and labels, and no more of it."""
    return _kind(row) is not None or str(row.get("type")).endswith("labels")


def _is_readable(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("value"), dict)


def _is_copy(row: Mapping[str, Any], shaped: Container[str]) -> bool:
    """Whether a row repeats a mask, for the points that it was made with or what is said of it."""
    return str(row.get("type")).startswith("keypoint") or str(row.get("id")) in shaped


def _is_point(row: Mapping[str, Any]) -> bool:
    """Whether a row of a shape's type has a place and no shape."""
    value = row["value"]
    return "x" in value and "y" in value and not _shows(row, str(_kind(row)))


def finite_score(row: Mapping[str, Any], left_out: Counter[str]) -> float | None:
    """Return a model's score of a row or a prediction; one that is no number is counted."""
    score: Any = row.get("score")
    if is_number(score):
        return float(score)
    left_out["scores that are no finite numbers"] += score is not None
    return None


def _region(region_id: str, rows: list[Mapping[str, Any]], left_out: Counter[str]) -> MaskRegion:
    plain = [row for row in rows if row.get("type") != "labels"] or rows
    row = plain[0]
    kind = _kind(row)
    marks = _MARKS[str(kind)]
    if any(other["value"].get(mark) != row["value"].get(mark) for other in rows for mark in marks):
        raise DataError("two shapes of one id")
    return MaskRegion(
        id=region_id,
        kind=str(kind),
        value=row["value"],
        labels=tuple(dict.fromkeys(label for other in rows for label in _labels(other))),
        from_name=str(row.get("from_name", "")),
        to_name=str(row.get("to_name", "")),
        width=_size(row, "original_width"),
        height=_size(row, "original_height"),
        origin=str(row.get("origin", "manual")),
        score=finite_score(row, left_out),
        item_index=_item_index(row),
        is_crowd=CROWD_NOTE in notes_of(row),
        is_readonly=any(other.get("readonly") is True for other in rows),
    )


def _item_index(row: Mapping[str, Any]) -> int | None:
    value = row.get("item_index")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DataError(f"item_index={value!r:.40}: expected a number from 0 on")
    return value


def notes_of(row: Mapping[str, Any]) -> list[Any]:
    """Return what stands in the notes of a row's region."""
    meta = row.get("meta")
    notes = meta.get("text") if isinstance(meta, dict) else None
    return notes if isinstance(notes, list) else [notes]


def _labels(row: Mapping[str, Any]) -> list[str]:
    kind = str(row.get("type"))
    named = row["value"].get(kind if kind.endswith("labels") else "labels")
    return [str(label) for label in named] if isinstance(named, list) else []


def _size(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    if not isinstance(value, int) or not 1 <= value <= MAX_SIDE_PX or value is True:
        raise DataError(f"{name}={value!r:.40}: expected pixels, 1..{MAX_SIDE_PX}")
    return value
