"""COCO annotations -> Label Studio's brush predictions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.label_studio.label_config import LabelConfig, MaskControl
from backend.label_studio.rows import RowFields, brush_rows
from mfp_model.errors import DataError
from mfp_model.masks.rle import decode_segmentation
from mfp_model.masks.runs import MaskRuns


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoImage:
    """An image of a COCO folder with its annotations.

    Attributes:
        path: The image file.
        file_name: As COCO names it.
        width: In pixels.
        height: In pixels.
        annotations: COCO's, in the file's order.
        address: Where Label Studio had the image that it was exported from, if it was.
    """

    path: Path
    file_name: str
    width: int
    height: int
    annotations: tuple[dict[str, Any], ...]
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoFolder:
    """A COCO folder: its images, and category names by id."""

    images: tuple[CocoImage, ...]
    categories: dict[int, str]


def read_folder(root: Path) -> CocoFolder:
    """Return what a COCO folder (`annotations.json` beside `images/`) holds.

    Args:
        root: The folder, or its annotation file.

    Raises:
        DataError: It is none.
    """
    path = root / "annotations.json" if root.is_dir() else root
    try:
        content = json.loads(path.read_text())
        categories = {int(row["id"]): str(row["name"]) for row in content["categories"]}
        by_image: dict[int, list[dict[str, Any]]] = {row["id"]: [] for row in content["images"]}
        for annotation in content["annotations"]:
            by_image[annotation["image_id"]].append(annotation)
        images = [_image(path.parent, row, by_image[row["id"]]) for row in content["images"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected COCO instance annotations, got {error!r}") from None
    return CocoFolder(images=tuple(images), categories=categories)


def _image(folder: Path, row: dict[str, Any], annotations: list[dict[str, Any]]) -> CocoImage:
    name = str(row["file_name"])
    return CocoImage(
        path=folder / "images" / name,
        file_name=name,
        width=int(row["width"]),
        height=int(row["height"]),
        annotations=tuple(annotations),
        address=(row.get("label_studio") or {}).get("image"),
    )


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
    image: CocoImage, categories: dict[int, str], control: MaskControl
) -> Iterator[list[dict[str, Any]] | DataError]:
    """Yield the rows of each annotation, and an error in place of each that has none."""
    for annotation in image.annotations:
        try:
            yield _rows(image, annotation, categories, control)
        except DataError as error:
            yield DataError(f"{image.file_name}: annotation {annotation.get('id')}: {error}")


def _rows(
    image: CocoImage, annotation: dict[str, Any], categories: dict[int, str], control: MaskControl
) -> list[dict[str, Any]]:
    name = categories.get(annotation.get("category_id", -1))
    if name is None:
        raise DataError(f"category_id={annotation.get('category_id')!r:.20}: unknown")
    if control.labels and name not in control.labels:
        raise DataError(f"category {name!r:.60}: expected one of {', '.join(control.labels)}"[:300])
    mask = decode_segmentation(
        annotation.get("segmentation"), height=image.height, width=image.width
    )
    score, order = annotation.get("score"), annotation.get("order")
    fields = RowFields(
        control=control,
        label=name if control.labels else None,
        score=score if isinstance(score, (int, float)) else None,
        order=order if isinstance(order, int) else 0,
    )
    rows = brush_rows(MaskRuns.of(mask), fields)
    if not rows:
        raise DataError("a mask without a pixel")
    return rows
