"""Numbers of any width in a stream of bits, most significant bit first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_BITS = 32  # of a number
_WINDOW_BYTES = 5  # hold such a number, wherever in its first byte it begins


def packed(
    numbers: NDArray[np.int64], n_bits: NDArray[np.int64], *, head: bytes, n_head_bits: int
) -> NDArray[np.uint8]:
    """Return a stream, padded with zeros to bytes, uint8 `[n_bytes]`.

    Args:
        numbers: What it holds, `[n]`.
        n_bits: How many bits each of them takes, at most `MAX_BITS`.
        head: What comes before them, padded with zeros to bytes.
        n_head_bits: How many bits that takes.
    """
    stops = n_head_bits + np.cumsum(n_bits)
    starts = stops - n_bits
    stream = np.zeros(-(-int(stops[-1]) // 8) + _WINDOW_BYTES, dtype=np.uint8)
    stream[: len(head)] = np.frombuffer(head, dtype=np.uint8)
    aligned = numbers << (8 * _WINDOW_BYTES - n_bits - (starts & 7))
    for index in range(_WINDOW_BYTES):
        part = (aligned >> 8 * (_WINDOW_BYTES - 1 - index)) & 255
        np.add.at(stream, (starts >> 3) + index, part.astype(np.uint8))  # no two share a bit
    return stream[:-_WINDOW_BYTES]


class BitStream:
    """Reads numbers from bytes. Behind their end are zeros."""

    def __init__(self, content: bytes) -> None:
        """Make one that reads these bytes."""
        self._bytes = np.frombuffer(content + bytes(_WINDOW_BYTES), dtype=np.uint8)
        self.n_bits = 8 * len(content)

    def number(self, at: int, n_bits: int) -> int:
        """Return the number of so many bits that begins at this bit, which is in the stream."""
        return int(self.windows(at >> 3, (at >> 3) + 1)[at & 7]) >> (MAX_BITS - n_bits)

    def windows(self, first: int, stop: int) -> NDArray[np.int64]:
        """Return the number of `MAX_BITS` bits at each bit of these bytes, int64 `[8 * n]`."""
        last = min(stop, self.n_bits // 8)
        numbers: NDArray[np.int64] = np.zeros(last - first, dtype=np.int64)
        for index in range(_WINDOW_BYTES):
            numbers = (numbers << 8) | self._bytes[first + index : last + index]
        shifts = 8 * _WINDOW_BYTES - MAX_BITS - np.arange(8)
        return ((numbers[:, None] >> shifts) & ((1 << MAX_BITS) - 1)).ravel()

    def bytes_at(self, at: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the eight bits at each of these bits of the stream, uint8 `[n]`."""
        both = (self._bytes[at >> 3].astype(np.int64) << 8) | self._bytes[(at >> 3) + 1]
        return np.asarray(both >> (8 - (at & 7)), dtype=np.int64).astype(np.uint8)
