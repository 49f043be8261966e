"""COCO segmentations (polygons, COCO RLE plain or compressed) <-> masks, all of them checked.

What is decoded was checked before: an RLE's counts add up to the image, a polygon's coordinates
are finite and near the image, and no shape needs more memory than its image allows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from mfp_model.errors import DataError, PromptError
from mfp_model.masks.depths import deepest_click
from mfp_model.prompts import Stroke

MAX_PIXELS = 200_000_000  # of an image
_MAX_OUTLINE_PX = 4_000_000  # of a segmentation's polygons; decoding needs 40 bytes a pixel
_MAX_LETTERS = 7  # of a number in compressed counts: 35 bits
_LETTERS = 64  # from "0" on


def check_segmentation(segmentation: Any, *, height: int, width: int) -> None:  # noqa: ANN401, JSON
    """Refuse what `decode_segmentation` cannot decode, without decoding it.

    Raises:
        DataError: As in `decode_segmentation`.
    """
    _check_size(height, width)
    if isinstance(segmentation, list):
        _check_polygons(segmentation, height, width)
    else:
        _counts(segmentation, height, width)


def decode_segmentation(segmentation: Any, *, height: int, width: int) -> NDArray[np.bool_]:  # noqa: ANN401, JSON
    """Return the mask bool `[height, width]` of a COCO annotation's `segmentation`.

    Polygons may reach out of the image, by its longer side at most, and are cut at its edge.

    Raises:
        DataError: It is neither polygons nor a COCO RLE; a coordinate is not finite or far out of
            the image; an RLE's counts are negative or do not add up to the image.
    """
    check_segmentation(segmentation, height=height, width=width)
    return np.asarray(coco_mask.decode(_compressed(segmentation, height, width)), dtype=np.bool_)


def segmentation_area(segmentation: Any, *, height: int, width: int) -> int:  # noqa: ANN401, JSON
    """Return the number of pixels of a COCO annotation's `segmentation`.

    Raises:
        DataError: As in `decode_segmentation`.
    """
    check_segmentation(segmentation, height=height, width=width)
    return int(coco_mask.area(_compressed(segmentation, height, width)))


def stroke_mask(stroke: Stroke) -> NDArray[np.bool_]:
    """Return the pixels of a stroke, bool `[H, W]`.

    Raises:
        DataError: Its counts are damaged.
    """
    height, width = stroke.height, stroke.width
    rle = {"size": [height, width], "counts": stroke.counts}
    return decode_segmentation(rle, height=height, width=width)


def stroke_of(mask: NDArray[np.bool_], *, is_positive: bool = True) -> Stroke:
    """Return the stroke that painted these pixels, bool `[H, W]`.

    Raises:
        PromptError: There is none, or it is no such mask.
    """
    if not isinstance(mask, np.ndarray):  # code without types may give any
        raise PromptError(f"mask {type(mask).__name__}: expected a numpy array, bool [H, W]")
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise PromptError(f"mask {mask.dtype} {list(mask.shape)}: expected bool [H, W]")
    middle = deepest_click(mask)
    height, width = mask.shape
    return Stroke(
        x=middle.x,
        y=middle.y,
        is_positive=is_positive,
        height=height,
        width=width,
        counts=encode_mask(mask)["counts"],
    )


def encode_mask(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Return a mask bool `[H, W]` as compressed COCO RLE: `size` and `counts`.

    [[0, 1, 0], [0, 1, 1]] -> runs down the columns 2 2 1 1 -> {"size": [2, 3], "counts": "221O"}
    """
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": rle["counts"].decode("ascii")}


def _compressed(segmentation: Any, height: int, width: int) -> dict[str, Any]:  # noqa: ANN401, JSON
    """The compressed RLE of a checked segmentation."""
    if isinstance(segmentation, list):
        rle: dict[str, Any] = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
        return rle
    rle = {"size": [height, width], "counts": segmentation["counts"]}
    if isinstance(rle["counts"], list):
        rle = coco_mask.frPyObjects(rle, height, width)
    return rle


def _check_size(height: int, width: int) -> None:
    if not 1 <= height * width <= MAX_PIXELS:
        raise DataError(f"image of {width}x{height} pixels: expected 1..{MAX_PIXELS} in all")


def _check_polygons(polygons: list[Any], height: int, width: int) -> None:
    if not polygons:
        raise DataError("segmentation: no polygon, expected at least one")
    reach, longest_px = max(height, width), 0.0
    for number, polygon in enumerate(polygons, start=1):
        if not isinstance(polygon, list) or not set(map(type, polygon)) <= {int, float}:
            raise DataError(f"polygon {number}: {polygon!r:.40}, expected a list of numbers")
        if len(polygon) < 6 or len(polygon) % 2:
            raise DataError(
                f"polygon {number}: {len(polygon)} numbers, expected an even count from 6 on"
            )
        for axis, size, values in (("x", width, polygon[::2]), ("y", height, polygon[1::2])):
            low, high = min(values), max(values)
            # A NaN is neither least nor greatest, but it spoils the sum.
            if not (-reach <= low and high <= size + reach and math.isfinite(sum(values))):
                raise DataError(
                    f"polygon {number}: {axis} from {low!r:.9} to {high!r:.9}, expected finite "
                    f"numbers in {-reach}..{size + reach}"
                )
            longest_px += len(values) * (high - low)
    if longest_px > _MAX_OUTLINE_PX and _outline_px(polygons) > _MAX_OUTLINE_PX:
        raise DataError(f"polygons: outline longer than {_MAX_OUTLINE_PX} pixels")


def _outline_px(polygons: list[list[float]]) -> float:
    """How far the outlines go along both axes together."""
    corners = (np.array([*polygon, *polygon[:2]], dtype=np.float64) for polygon in polygons)
    return float(sum(np.abs(x[2:] - x[:-2]).sum() for x in corners))


def _counts(rle: Any, height: int, width: int) -> NDArray[np.int64]:  # noqa: ANN401, JSON
    """The runs of an RLE, background first, int64 `[n]`: none negative, the image in all."""
    if not isinstance(rle, dict) or not isinstance(rle.get("counts"), list | str | bytes):
        raise DataError(f"segmentation {rle!r:.40}: expected polygons or COCO RLE")
    size = rle.get("size")
    if size is not None and size != [height, width]:
        raise DataError(f"segmentation of {size!r:.40}: expected {[height, width]}")
    counts = rle["counts"]
    if isinstance(counts, list):
        if not set(map(type, counts)) <= {int} or max(map(abs, counts), default=0) > MAX_PIXELS:
            raise DataError(f"RLE counts {counts!r:.40}: expected whole numbers up to {MAX_PIXELS}")
        runs = np.array(counts, dtype=np.int64)
    else:
        text = counts.encode(errors="surrogatepass") if isinstance(counts, str) else counts
        runs = _uncompressed(text)
    if (runs < 0).any():
        raise DataError(f"RLE counts: {int(runs.min())} among them, expected none below 0")
    if int(runs.sum()) != height * width:
        raise DataError(
            f"RLE counts: {int(runs.sum())} pixels in all, expected {height * width} "
            f"({width}x{height})"
        )
    return runs


def _uncompressed(text: bytes) -> NDArray[np.int64]:
    """The numbers of compressed counts.

    A number has five bits in each of its letters, low ones first; 32 says that it goes on, and
    the last letter's 16 that it is negative. From the fourth on they are differences to the
    number two before: "221O" -> 2 2 1 -1 -> 2 2 1 1.
    """
    letters = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - ord("0")
    if letters.size == 0 or letters.min() < 0 or letters.max() >= _LETTERS or letters[-1] & 32:
        raise DataError(f"RLE counts {text[:40]!r}: expected whole numbers in COCO's letters")
    ends = np.flatnonzero((letters & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    n_letters = ends - starts + 1
    if n_letters.max() > _MAX_LETTERS:
        raise DataError(f"RLE counts: a number of {n_letters.max()} letters, expected up to 7")
    places = np.arange(letters.size) - np.repeat(starts, n_letters)
    numbers = np.add.reduceat((letters & 31) << (5 * places), starts)
    numbers -= np.where(letters[ends] & 16, np.int64(1) << (5 * n_letters), 0)
    for first in (1, 2):
        numbers[first::2] = np.cumsum(numbers[first::2])
    return numbers
