"""COCO segmentations (polygons, COCO RLE plain or compressed) <-> masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from mfp_model.errors import DataError
from mfp_model.prompts import Stroke


def decode_segmentation(segmentation: Any, *, height: int, width: int) -> NDArray[np.bool_]:  # noqa: ANN401, JSON
    """Return the mask bool `[height, width]` of a COCO annotation's `segmentation`.

    Raises:
        DataError: It is neither polygons nor a COCO RLE, or an RLE of another size.
    """
    try:
        if isinstance(segmentation, list):
            rle = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
        elif isinstance(segmentation["counts"], list):
            rle = coco_mask.frPyObjects(segmentation, height, width)
        else:
            rle = segmentation
        mask = np.asarray(coco_mask.decode(rle), dtype=np.bool_)
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise DataError(f"segmentation: expected polygons or COCO RLE, got {error!r}") from None
    if mask.shape != (height, width):
        raise DataError(f"segmentation of {mask.shape}: expected {(height, width)}")
    return mask


def stroke_mask(stroke: Stroke) -> NDArray[np.bool_]:
    """Return the pixels of a stroke, bool `[H, W]`.

    Raises:
        DataError: Its counts are damaged.
    """
    height, width = stroke.height, stroke.width
    rle = {"size": [height, width], "counts": stroke.counts}
    return decode_segmentation(rle, height=height, width=width)


def segmentation_area(segmentation: Any, *, height: int, width: int) -> int:  # noqa: ANN401, JSON
    """Return the number of pixels of a COCO annotation's `segmentation`.

    Raises:
        DataError: As in `decode_segmentation`.
    """
    return int(decode_segmentation(segmentation, height=height, width=width).sum())


def encode_mask(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Return a mask bool `[H, W]` as compressed COCO RLE: `size` and `counts`.

    [[0, 1, 0], [0, 1, 1]] -> runs down the columns 2 2 1 1 -> {"size": [2, 3], "counts": "221O"}
    """
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": rle["counts"].decode("ascii")}
