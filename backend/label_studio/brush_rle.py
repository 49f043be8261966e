"""Label Studio's brush RLE: a bit stream over the flattened RGBA image.

Header: 32-bit count of values (H * W * 4), 5-bit word size - 1, four 4-bit run-size - 1.
Records: 1 bit "is a run", 2-bit size index, (size)-bit length - 1, then one word for a run or
`length` words. Most significant bit first, padded with zeros to bytes.

    [[0, 255, 0], [0, 255, 255]] <-> 0 0 0 24 57 27 252 96 17 255 206 1 63 248
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mfp_model.errors import MfpError
from mfp_model.masks.runs import MaskRuns

_CHANNELS = 4
_WORD_BITS = 8
_SIZES = (3, 4, 8, 16)  # bits of a record's length
_LONGEST = 1 << _SIZES[-1]
MAX_RLE_BYTES = 4_000_000  # a mask of 12 megapixels with 1 % noise has 561,484
_HEADER_BITS = 32 + 5 + 4 * 4
_LIMITS = np.array([1 << size for size in _SIZES])


class BrushRleError(MfpError):
    """A brush RLE that is truncated or does not fit its image."""


def encode(mask: NDArray[np.bool_]) -> list[int]:
    """Return the brush RLE of a mask bool `[H, W]`; see `encode_runs`."""
    return encode_runs(MaskRuns.of(mask))


def encode_runs(runs: MaskRuns) -> list[int]:
    """Return the brush RLE of a mask: 255 in all channels inside, 0 outside."""
    lengths, values = _records(runs)
    size_index = np.searchsorted(_LIMITS, lengths)
    length_bits = np.array(_SIZES)[size_index]
    header = 0b100 | size_index  # is a run, size index
    words = (((header << length_bits) | (lengths - 1)) << _WORD_BITS) | values
    n_bits = 3 + length_bits + _WORD_BITS
    widest = 3 + _SIZES[-1] + _WORD_BITS
    shifts = n_bits[:, None] - 1 - np.arange(widest)
    used = shifts >= 0
    bits = (words[:, None] >> np.where(used, shifts, 0)) & 1
    n_values = runs.height * runs.width * _CHANNELS
    stream = np.concatenate([_header_bits(n_values), bits[used].astype(np.uint8)])
    packed: list[int] = np.packbits(stream).tolist()
    return packed


def decode(rle: Sequence[int], *, height: int, width: int) -> NDArray[np.uint8]:
    """Return the alpha channel of a brush RLE, uint8 `[height, width]`, 0..255.

    Args:
        rle: Bytes as whole numbers.
        height: Rows of the image.
        width: Columns of the image.

    Raises:
        BrushRleError: The stream is truncated or too long, its header is unknown, or its size is
            not that of the image.
    """
    if len(rle) > MAX_RLE_BYTES:
        raise BrushRleError(f"brush RLE of {len(rle)} bytes, at most {MAX_RLE_BYTES}")
    stream = _BitReader(rle)
    n_values = stream.read(32)
    if n_values != height * width * _CHANNELS:
        raise BrushRleError(
            f"brush RLE holds {n_values} values, expected {height * width * _CHANNELS} "
            f"for {width}x{height} RGBA"
        )
    word_bits = stream.read(5) + 1
    if word_bits != _WORD_BITS:
        raise BrushRleError(f"brush RLE has words of {word_bits} bits, expected {_WORD_BITS}")
    sizes = [stream.read(4) + 1 for _ in range(4)]
    alpha = np.empty(height * width, dtype=np.uint8)
    position = 0
    while position < n_values:
        kind = stream.read(3)
        length = stream.read(sizes[kind & 3]) + 1
        stop = position + length
        if stop > n_values:
            raise BrushRleError(f"brush RLE runs past its {n_values} values")
        covered = slice(position // _CHANNELS, stop // _CHANNELS)  # whose last channel is in it
        if kind >= 4:
            alpha[covered] = stream.read(_WORD_BITS)
        else:
            first = (_CHANNELS - 1 - position) % _CHANNELS
            alpha[covered] = stream.read_words(length)[first::_CHANNELS]
        position = stop
    return alpha.reshape(height, width)


def _records(runs: MaskRuns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lengths in values (four a pixel) and word of each record, none longer than one holds."""
    lengths = runs.flat_lengths() * _CHANNELS
    values = np.where(np.arange(lengths.size) % 2, 255, 0)
    values, lengths = values[lengths > 0], lengths[lengths > 0]
    n_records = -(-lengths // _LONGEST)
    records = np.full(int(n_records.sum()), _LONGEST, dtype=np.int64)
    last = np.cumsum(n_records) - 1
    records[last] = lengths - (n_records - 1) * _LONGEST
    return records, np.repeat(values, n_records)


def _header_bits(n_values: int) -> NDArray[np.uint8]:
    number = n_values
    for width, value in ((5, _WORD_BITS - 1), *((4, size - 1) for size in _SIZES)):
        number = (number << width) | value
    return np.array([int(bit) for bit in f"{number:0{_HEADER_BITS}b}"], dtype=np.uint8)


class _BitReader:
    """Reads numbers, most significant bit first."""

    def __init__(self, rle: Sequence[int]) -> None:
        try:
            self._bytes = bytes(rle)
        except (ValueError, TypeError):
            raise BrushRleError("brush RLE: expected whole numbers in 0..255") from None
        self._position = 0

    def read(self, n_bits: int) -> int:
        start, stop = self._position, self._position + n_bits
        if stop > len(self._bytes) * 8:
            raise BrushRleError(f"brush RLE is truncated after {len(self._bytes)} bytes")
        self._position = stop
        window = int.from_bytes(self._bytes[start >> 3 : (stop + 7) >> 3], "big")
        return (window >> (-stop & 7)) & ((1 << n_bits) - 1)

    def read_words(self, n_words: int) -> NDArray[np.uint8]:
        start, stop = self._position, self._position + n_words * _WORD_BITS
        if stop > len(self._bytes) * 8:
            raise BrushRleError(f"brush RLE is truncated after {len(self._bytes)} bytes")
        self._position = stop
        window = np.frombuffer(self._bytes[start >> 3 : (stop + 7) >> 3], dtype=np.uint8)
        bits = np.unpackbits(window)[start & 7 : (start & 7) + n_words * _WORD_BITS]
        return np.packbits(bits)
