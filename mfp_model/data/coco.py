"""COCO instance annotations: the one reader, which checks all that it reads.

`mfp_model.data.coco_layout` tells where its files lie. A damaged row is left out and told, named by
its file, its image's id and its annotation's id; the rest is read. Annotations of an image that
are left out for one reason are told as one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mfp_model.data.coco_data import CocoAnnotation, CocoData, CocoImage
from mfp_model.data.coco_layout import (
    annotation_file,
    file_name,
    image_path,
    label_studios_row,
)
from mfp_model.data.coco_rows import (
    Id,
    check_annotation,
    check_box,
    checked_image,
    is_crowd,
    row_id,
)
from mfp_model.errors import DataError
from mfp_model.files import parsed_json

OnProblem = Callable[[str], None]


def refuse(problem: str) -> None:
    """Raise what is told: for whoever has no use for a data set that lacks something.

    Raises:
        DataError: Always.
    """
    raise DataError(problem)


def read_coco(root: Path, *, on_problem: OnProblem = refuse, wants_boxes: bool = False) -> CocoData:
    """Return what a COCO folder or an annotation file holds.

    Args:
        root: A folder, or a file of COCO's or LVIS v1's form; see `mfp_model.data.coco_layout`.
        on_problem: Told of the rows that are left out, and why.
        wants_boxes: Check the annotations' boxes and not their segmentations, which may be missing.

    Raises:
        DataError: The file is missing, or has another form.
    """
    path = annotation_file(root)
    try:
        content = path.read_bytes()
        document = parsed_json(content.decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected COCO instance annotations, got {error!r:.200}") from None
    if not isinstance(document, dict):
        raise DataError(f"{path}: expected COCO instance annotations, got {document!r:.40}")
    tables = {name: document.get(name) for name in ("images", "annotations", "categories")}
    tables["categories"] = tables["categories"] or []
    for name, rows in tables.items():
        if not isinstance(rows, list):
            raise DataError(f"{path}: {name}={rows!r:.40}, expected a list")
    is_as_shown = _is_label_studios(document.get("info"))
    reader = _Reader(path, on_problem, is_as_shown=is_as_shown, wants_boxes=wants_boxes)
    return reader.data(tables, hashlib.sha256(content).hexdigest())


def _is_label_studios(info: object) -> bool:
    return isinstance(info, dict) and info.get("contributor") == "Label Studio"


class _Reader:
    """Checks rows, one table after the other."""

    def __init__(
        self, path: Path, on_problem: OnProblem, *, is_as_shown: bool, wants_boxes: bool
    ) -> None:
        self._path = path
        self._on_problem = on_problem
        self._is_as_shown = is_as_shown
        self._check = check_box if wants_boxes else check_annotation

    def data(self, tables: Mapping[str, Any], digest: str) -> CocoData:
        categories = self._categories(tables["categories"])
        rows = self._images(tables["images"])
        by_image = self._annotations(tables["annotations"], rows, categories)
        images = tuple(
            CocoImage(
                id=number,
                path=image_path(self._path, row),
                file_name=file_name(row),
                height=row["height"],
                width=row["width"],
                annotations=tuple(by_image[number]),
                is_as_shown=self._is_as_shown or isinstance(row.get("label_studio"), dict),
                entry=row,
            )
            for number, row in rows.items()
        )
        return CocoData(path=self._path, images=images, categories=categories, digest=digest)

    def _tell(self, what: str, error: DataError | str) -> None:
        self._on_problem(f"{self._path}: {what}: {error}")

    def _categories(self, table: Sequence[Any]) -> dict[Id, str]:
        categories: dict[Id, str] = {}
        for index, row in enumerate(table):
            try:
                number, name = row_id(row, "id"), row.get("name")
                if not isinstance(name, str):
                    raise DataError(f"name={name!r:.40}, expected a text")
                if categories.setdefault(number, name) != name:
                    raise DataError(f"id {number!r:.40} is {categories[number]!r:.40} already")
            except DataError as error:
                self._tell(f"category [{index}]", error)
        return categories

    def _images(self, table: Sequence[Any]) -> dict[Id, dict[str, Any]]:
        rows: dict[Id, dict[str, Any]] = {}
        doubtful: set[Id] = set()
        for index, row in enumerate(table):
            name = f"image [{index}]"
            try:
                number = row_id(row, "id")
                name = f"image {number!r:.40}"
                checked = checked_image(label_studios_row(row) if self._is_as_shown else row)
                if rows.setdefault(number, checked) != checked:
                    doubtful.add(number)
                    other = file_name(rows[number])
                    raise DataError(f"is {other!r:.80}, and {file_name(checked)!r:.80}, too")
            except DataError as error:
                self._tell(name, error)
        return {number: row for number, row in rows.items() if number not in doubtful}

    def _annotations(
        self, table: Sequence[Any], rows: Mapping[Id, dict[str, Any]], categories: Mapping[Id, str]
    ) -> dict[Id, list[CocoAnnotation]]:
        by_image: dict[Id, list[CocoAnnotation]] = {number: [] for number in rows}
        seen: set[Id] = set()
        problems: dict[tuple[str, str], list[str]] = {}  # by image and reason
        for index, row in enumerate(table):
            place, name = "", f"annotation [{index}]"
            try:
                number = row_id(row, "id") if not isinstance(row, dict) or "id" in row else name
                name = f"annotation {number!r:.40}"
                image = row_id(row, "image_id")
                place = f"image {image!r:.40}: "
                if image not in rows:
                    raise DataError("its image is unknown or left out")
                if number in seen:
                    raise DataError("another one has this id")
                size = {side: rows[image][side] for side in ("height", "width")}
                self._check(row, **size)
                category = row_id(row, "category_id") if "category_id" in row else ""
                by_image[image].append(
                    CocoAnnotation(
                        id=number,
                        segmentation=row.get("segmentation"),
                        is_crowd=is_crowd(row),
                        category=categories.get(category),
                        entry=row,
                    )
                )
                seen.add(number)
            except DataError as error:
                problems.setdefault((place, str(error)), []).append(name)
        for (place, reason), (first, *others) in problems.items():
            more = f" and {len(others)} more" if others else ""
            self._tell(f"{place}{first}{more}", reason)
        return by_image
