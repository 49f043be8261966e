"""Label Studio's brush RLE: a bit stream over the flattened RGBA image.

Header: 32-bit count of values (H * W * 4), 5-bit word size - 1, four 4-bit run-size - 1.
Records: 1 bit "is a run", 2-bit size index, (size)-bit length - 1, then one word for a run or
`length` words. Most significant bit first, padded with zeros to bytes.

    [[0, 255, 0], [0, 255, 255]] <-> 0 0 0 24 57 27 252 96 17 255 206 1 63 248
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from backend.label_studio.bits import MAX_BITS, BitStream, packed
from mfp_model.errors import MfpError
from mfp_model.masks.runs import MaskRuns

_CHANNELS = 4
_WORD_BITS = 8
_SIZES = (3, 4, 8, 16)  # bits of a record's length
_LONGEST = 1 << _SIZES[-1]
MAX_RLE_BYTES = 4_000_000  # a mask of 12 megapixels with 1 % noise has 561,484
_HEADER_BITS = 32 + 5 + 4 * 4
_LIMITS = np.array([1 << size for size in _SIZES])
_KIND_BITS = 3  # is a run, size index
_PIECE_BYTES = 16_384  # of a stream, read at a time


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
    kinds = 0b100 | size_index  # is a run
    numbers = (((kinds << length_bits) | (lengths - 1)) << _WORD_BITS) | values
    stream: list[int] = packed(
        numbers,
        _KIND_BITS + length_bits + _WORD_BITS,
        head=_header(runs.height * runs.width * _CHANNELS),
        n_head_bits=_HEADER_BITS,
    ).tolist()
    return stream


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
    stream = _stream(rle)
    n_values = stream.number(0, 32)
    if n_values != height * width * _CHANNELS:
        raise BrushRleError(
            f"brush RLE holds {n_values} values, expected {height * width * _CHANNELS} "
            f"for {width}x{height} RGBA"
        )
    word_bits = stream.number(32, 5) + 1
    if word_bits != _WORD_BITS:
        raise BrushRleError(f"brush RLE has words of {word_bits} bits, expected {_WORD_BITS}")
    sizes = np.array([stream.number(at, 4) + 1 for at in range(37, _HEADER_BITS, 4)])
    alpha = np.empty(height * width, dtype=np.uint8)
    at, position = _HEADER_BITS, 0
    while position < n_values:
        _check_end(at + 1, stream)
        records = _records_at(stream, at, position, sizes).until(n_values)
        at, position = int(records.ends[-1]), int(records.stops[-1])
        if position > n_values:
            raise BrushRleError(f"brush RLE runs past its {n_values} values")
        _check_end(at, stream)
        _write(alpha, records, stream)
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


def _header(n_values: int) -> bytes:
    number = n_values
    for width, value in ((5, _WORD_BITS - 1), *((4, size - 1) for size in _SIZES)):
        number = (number << width) | value
    n_bytes = -(-_HEADER_BITS // 8)
    return (number << (8 * n_bytes - _HEADER_BITS)).to_bytes(n_bytes, "big")


def _stream(rle: Sequence[int]) -> BitStream:
    try:
        stream = BitStream(bytes(rle))
    except (ValueError, TypeError):
        raise BrushRleError("brush RLE: expected whole numbers in 0..255") from None
    _check_end(_HEADER_BITS, stream)
    return stream


def _check_end(end: int, stream: BitStream) -> None:
    if end > stream.n_bits:
        raise BrushRleError(f"brush RLE is truncated after {stream.n_bits // 8} bytes")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Records:
    """Records that follow each other, `[n]` each.

    Attributes:
        is_run: Whether one word stands for all values.
        starts: Index of the first value.
        stops: Index behind the last value.
        words_at: Bit of the stream at which the words begin.
        ends: Bit behind them.
    """

    is_run: NDArray[np.bool_]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    words_at: NDArray[np.int64]
    ends: NDArray[np.int64]

    def until(self, n_values: int) -> _Records:
        """Those that hold the first so many values."""
        n = int(np.searchsorted(self.stops, n_values)) + 1
        return _Records(**{field.name: getattr(self, field.name)[:n] for field in fields(self)})


def _records_at(stream: BitStream, at: int, position: int, sizes: NDArray[np.int64]) -> _Records:
    """The records of the next piece of a stream, from a bit and the index of a value on.

    Only a record's length tells where the next one begins. So lengths are read at every bit, all
    at a time, and then it goes from record to record.
    """
    first = at >> 3
    windows = stream.windows(first, first + _PIECE_BYTES)
    kinds = windows >> (MAX_BITS - _KIND_BITS)
    behind_kind = windows & ((1 << (MAX_BITS - _KIND_BITS)) - 1)
    length_bits = sizes[kinds & 3]
    lengths = (behind_kind >> (MAX_BITS - _KIND_BITS - length_bits)) + 1
    n_bits = _KIND_BITS + length_bits + _WORD_BITS * np.where(kinds >= 4, 1, lengths)
    steps, place, places = n_bits.tolist(), at & 7, []
    while place < len(steps):
        places.append(place)
        place += steps[place]
    stops = position + np.cumsum(lengths[places])
    begins = 8 * first + np.array(places)
    return _Records(
        is_run=kinds[places] >= 4,
        starts=stops - lengths[places],
        stops=stops,
        words_at=begins + _KIND_BITS + length_bits[places],
        ends=begins + n_bits[places],
    )


def _write(alpha: NDArray[np.uint8], records: _Records, stream: BitStream) -> None:
    """Write what records hold of the last channel."""
    first, behind = records.starts // _CHANNELS, records.stops // _CHANNELS
    runs = np.repeat(stream.bytes_at(records.words_at), behind - first)
    alpha[first[0] : behind[-1]] = runs
    listed = np.flatnonzero(~records.is_run)
    if not listed.size:
        return
    n_pixels = (behind - first)[listed]
    index = np.arange(n_pixels.sum()) - np.repeat(np.cumsum(n_pixels) - n_pixels, n_pixels)
    words_before = (_CHANNELS - 1 - records.starts[listed]) % _CHANNELS
    words_at = np.repeat(records.words_at[listed] + _WORD_BITS * words_before, n_pixels)
    pixels = np.repeat(first[listed], n_pixels) + index
    alpha[pixels] = stream.bytes_at(words_at + _CHANNELS * _WORD_BITS * index)
