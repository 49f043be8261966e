"""What a file of COCO instance annotations holds, once it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfp_model.data.coco_rows import Id
from mfp_model.data.image_header import ImageHeader
from mfp_model.data.orientation import turned
from mfp_model.masks.rle import decode_segmentation


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
        is_as_shown: The masks were drawn on the photo as a browser shows it, whatever the order
            of the pixels in its file.
        entry: The whole row.
    """

    id: Id
    path: Path
    file_name: str
    height: int
    width: int
    annotations: tuple[CocoAnnotation, ...]
    is_as_shown: bool
    entry: Mapping[str, Any]

    @property
    def objects(self) -> tuple[CocoAnnotation, ...]:
        """The annotations that are no crowds."""
        return tuple(x for x in self.annotations if not x.is_crowd)

    @property
    def crowds(self) -> tuple[CocoAnnotation, ...]:
        """The other annotations: groups in which no pixel counts as background."""
        return tuple(x for x in self.annotations if x.is_crowd)

    def mask(self, annotation: CocoAnnotation) -> NDArray[np.bool_]:
        """Return the pixels of one of its annotations, bool `[height, width]`."""
        return decode_segmentation(annotation.segmentation, height=self.height, width=self.width)

    def turn(self, header: ImageHeader) -> int:
        """Return how its masks are to be turned to lie on the photo as it is shown: 1 to 8.

        Label Studio draws on what is shown, COCO's tools on a file's pixels as they lie.

        Raises:
            DataError: The file has another size.
        """
        size = {"height": self.height, "width": self.width}
        return header.turn_of(**size, is_as_shown=self.is_as_shown)

    def shown_mask(self, annotation: CocoAnnotation, turn: int) -> NDArray[np.bool_]:
        """Return the pixels of an annotation on the photo as it is shown; see `turn`."""
        return turned(self.mask(annotation), turn)


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
