"""Pictures of masks -> truths: what a pixel's value means is up to who made the picture.

| picture | read as |
|---|---|
| grey, palette or one bit, of 0 and 1 | 1 is the object |
| grey of 0 and 255, perhaps 128 | 255 is the object, 128 does not count |
| grey of more than 64 values | a soft edge: above 128 is the object |
| RGBA or grey with alpha, which differs | the alpha alone, as grey |
| several objects: palette, grey, 16 bits, or a colour each | only where the format says so |
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mfp_model.data.pictures import UNREADABLE
from mfp_model.errors import DataError

VOID = 255
_UNKNOWN = 128  # between background and object, in GrabCut's truths
_MAX_LEVELS = 64  # of a picture whose values are numbers; a soft edge has more
_VOC_VOID = 224 << 16 | 224 << 8 | 192  # the colour of VOC's palette that does not count


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """Where the object is, and where that does not count, both bool `[H, W]`."""

    mask: NDArray[np.bool_]
    valid: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Values:
    """A picture's values `[H, W]`, and whether they are colours."""

    values: NDArray[np.int64]
    are_colours: bool


def read_truth(path: Path, *, takes_colours: bool = False) -> Truth:
    """Return a picture of one object.

    Args:
        path: The picture.
        takes_colours: Whatever is not black is the object.

    Raises:
        DataError: It cannot be read, or its values have another meaning.
    """
    read = _read(path)
    values, levels = read.values, np.unique(read.values)
    everywhere = np.ones(values.shape, dtype=np.bool_)
    if read.are_colours and takes_colours:
        return Truth(mask=values > 0, valid=everywhere)
    if not read.are_colours and levels.max() <= 1:
        return Truth(mask=values == 1, valid=everywhere)
    if not read.are_colours and set(levels.tolist()) <= {0, _UNKNOWN, 255}:
        return Truth(mask=values == 255, valid=values != _UNKNOWN)
    if not read.are_colours and len(levels) > _MAX_LEVELS and levels.max() <= 255:
        return Truth(mask=values > _UNKNOWN, valid=everywhere)
    what = "colours" if read.are_colours else "values"
    raise DataError(
        f"{path}: {what} {_listed(levels)}, expected one object as 0 and 255 (128 does not "
        "count), or as 0 and 1; numbered objects need --format index, voc or davis2017"
    )


def read_numbered(path: Path) -> dict[int, Truth]:
    """Return a picture's objects by their numbers; 0 is background, 255 does not count.

    Raises:
        DataError: It cannot be read, or has no object.
    """
    read = _read(path)
    valid = read.values != (_VOC_VOID if read.are_colours else VOID)
    numbers = np.unique(read.values[valid])
    truths = {
        int(number): Truth(mask=read.values == number, valid=valid)
        for number in numbers[numbers != 0]
    }
    if not truths:
        raise DataError(
            f"{path}: values {_listed(np.unique(read.values))}, expected numbers of objects "
            "besides 0, the background, and 255, which does not count"
        )
    return truths


def _read(path: Path) -> _Values:
    try:
        with Image.open(path) as picture:
            if picture.mode == "P":  # indices, whatever the colours
                return _Values(values=np.asarray(picture, dtype=np.int64), are_colours=False)
            is_plain = picture.mode in ("1", "L", "LA", "RGB", "RGBA") or picture.mode[0] == "I"
            pixels = np.asarray(picture if is_plain else picture.convert("RGB")).astype(np.int64)
    except UNREADABLE as error:
        raise DataError(f"{path}: not a readable picture ({error})") from None
    if pixels.ndim == 2:
        return _Values(values=pixels, are_colours=False)
    if pixels.shape[2] in (2, 4):
        alpha, pixels = pixels[..., -1], pixels[..., :-1]
        if alpha.min() != alpha.max():
            return _Values(values=alpha, are_colours=False)
    if (pixels == pixels[..., :1]).all():
        return _Values(values=pixels[..., 0], are_colours=False)
    colours = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    return _Values(values=colours, are_colours=True)


def _listed(levels: NDArray[np.int64]) -> str:
    shown = ", ".join(str(level) for level in levels[:8])
    return shown if len(levels) <= 8 else f"{shown}, ... ({len(levels)})"
