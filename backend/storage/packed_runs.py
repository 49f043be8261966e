"""Masks as bytes, to be kept in files."""

from __future__ import annotations

import zlib

import numpy as np

from mfp_model.errors import DataError
from mfp_model.masks.runs import MaskRuns

_LEVEL = 1


def pack(runs: MaskRuns) -> bytes:
    """Return a mask as bytes: its flat lengths, 32 bits each, compressed."""
    return zlib.compress(runs.flat_lengths().astype("<u4").tobytes(), _LEVEL)


def unpack(packed: bytes, *, height: int, width: int) -> MaskRuns:
    """Return the mask that was packed.

    Raises:
        DataError: The bytes are damaged, or of a mask of another size.
    """
    try:
        lengths = np.frombuffer(zlib.decompress(packed), dtype="<u4").astype(np.int64)
    except (zlib.error, ValueError) as error:
        raise DataError(f"packed mask: damaged ({error})") from None
    if lengths.sum() != height * width:
        raise DataError(f"packed mask of {lengths.sum()} pixels, expected {height * width}")
    return MaskRuns.of_flat(lengths, height=height, width=width)
