"""COCO instance annotations: the one reader, which checks all that it reads.

A COCO folder is `annotations.json` beside `images/`. A damaged row is left out and told, named by
its file, its image's id and its annotation's id; the rest is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfp_model.data.coco_rows import (
    Id,
    check_annotation,
    checked_image,
    file_name,
    image_path,
    is_crowd,
    row_id,
)
from mfp_model.errors import DataError
from mfp_model.masks.rle import decode_segmentation

ANNOTATIONS = "annotations.json"

OnProblem = Callable[[str], None]


def refuse(problem: str) -> None:
    """Raise what is told: for whoever has no use for a data set that lacks something.

    Raises:
        DataError: Always.
    """
    raise DataError(problem)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CocoAnnotation:
    """One object, or one crowd.

    Attributes:
        id: As in the file; its place there where it has none.
        segmentation: Polygons or COCO RLE, checked.
        is_crowd: Whether it is a group of objects, which is no object itself.
        category: Its category's name, None where the file does not tell.
        entry: The whole row, with what others than COCO put there.
    """

    id: Id
    segmentation: Any
    is_crowd: bool
    category: str | None
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CocoImage:
    """An image with its annotations.

    Attributes:
        id: As in the file.
        path: Where the image file should be.
        file_name: As COCO names it.
        height: In pixels.
        width: In pixels.
        annotations: In the file's order, crowds among them.
        entry: The whole row.
    """

    id: Id
    path: Path
    file_name: str
    height: int
    width: int
    annotations: tuple[CocoAnnotation, ...]
    entry: Mapping[str, Any]

    @property
    def objects(self) -> tuple[CocoAnnotation, ...]:
        """The annotations that are no crowds."""
        return tuple(x for x in self.annotations if not x.is_crowd)

    def mask(self, annotation: CocoAnnotation) -> NDArray[np.bool_]:
        """Return the pixels of one of its annotations, bool `[height, width]`."""
        return decode_segmentation(annotation.segmentation, height=self.height, width=self.width)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CocoData:
    """What a file of annotations holds.

    Attributes:
        path: The file.
        images: In the file's order, those without annotations among them.
        categories: Names by id.
        digest: Of the file's content.
    """

    path: Path
    images: tuple[CocoImage, ...]
    categories: Mapping[Id, str]
    digest: str

    def where(self, image: CocoImage, annotation: CocoAnnotation | None = None) -> str:
        """Return what a message about an image or an annotation begins with."""
        place = f"{self.path}: image {image.id!r:.40}"
        return place if annotation is None else f"{place}: annotation {annotation.id!r:.40}"


def read_coco(root: Path, *, on_problem: OnProblem = refuse) -> CocoData:
    """Return what a COCO folder or an annotation file holds.

    Args:
        root: The folder; or a file of COCO's or LVIS v1's form, whose images lie in `images/` or
            in folders named after the split (`train2017/`) beside it.
        on_problem: Told of each row that is left out, and why.

    Raises:
        DataError: The file is missing, or has another form.
    """
    path = root / ANNOTATIONS if root.is_dir() else root
    try:
        content = path.read_bytes()
        told = json.loads(content.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected COCO instance annotations, got {error!r:.200}") from None
    if not isinstance(told, dict):
        raise DataError(f"{path}: expected COCO instance annotations, got {told!r:.40}")
    tables = {name: told.get(name) for name in ("images", "annotations", "categories")}
    tables["categories"] = tables["categories"] or []
    for name, rows in tables.items():
        if not isinstance(rows, list):
            raise DataError(f"{path}: {name}={rows!r:.40}, expected a list")
    return _Reader(path, on_problem).data(tables, hashlib.sha256(content).hexdigest())


class _Reader:
    """Checks rows, one table after the other."""

    def __init__(self, path: Path, on_problem: OnProblem) -> None:
        self._path = path
        self._on_problem = on_problem

    def data(self, tables: Mapping[str, Any], digest: str) -> CocoData:
        categories = self._categories(tables["categories"])
        rows = self._images(tables["images"])
        by_image = self._annotations(tables["annotations"], rows, categories)
        images = tuple(
            CocoImage(
                id=number,
                path=image_path(self._path.parent, row),
                file_name=file_name(row),
                height=row["height"],
                width=row["width"],
                annotations=tuple(by_image[number]),
                entry=row,
            )
            for number, row in rows.items()
        )
        return CocoData(path=self._path, images=images, categories=categories, digest=digest)

    def _tell(self, what: str, error: DataError) -> None:
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
                checked = checked_image(row)
                if rows.setdefault(number, checked) != checked:
                    doubtful.add(number)
                    other = file_name(rows[number])
                    raise DataError(f"is {other!r:.80}, and {file_name(row)!r:.80}, too")
            except DataError as error:
                self._tell(name, error)
        return {number: row for number, row in rows.items() if number not in doubtful}

    def _annotations(
        self, table: Sequence[Any], rows: Mapping[Id, dict[str, Any]], categories: Mapping[Id, str]
    ) -> dict[Id, list[CocoAnnotation]]:
        by_image: dict[Id, list[CocoAnnotation]] = {number: [] for number in rows}
        seen: set[Id] = set()
        for index, row in enumerate(table):
            name = f"annotation [{index}]"
            try:
                number = row_id(row, "id") if not isinstance(row, dict) or "id" in row else name
                name = f"annotation {number!r:.40}"
                image = row_id(row, "image_id")
                name = f"image {image!r:.40}: {name}"
                if image not in rows:
                    raise DataError("its image is unknown or left out")
                if number in seen:
                    raise DataError("another one has this id")
                size = {side: rows[image][side] for side in ("height", "width")}
                check_annotation(row, **size)
                category = row_id(row, "category_id") if "category_id" in row else ""
                by_image[image].append(
                    CocoAnnotation(
                        id=number,
                        segmentation=row["segmentation"],
                        is_crowd=is_crowd(row),
                        category=categories.get(category),
                        entry=row,
                    )
                )
                seen.add(number)
            except DataError as error:
                self._tell(name, error)
        return by_image
