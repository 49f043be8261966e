"""PNG files as browsers read them: what stands beside the pixels cannot make them unreadable."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_AROUND_BYTES = 12  # length, type and checksum of a chunk


def without_needless_chunks(content: bytes) -> bytes:
    """Return a file without what browsers pass over; any but a PNG as it is.

    That are texts, chunks beside the pixels whose checksum is wrong, and EXIF behind the pixels.
    """
    if not content.startswith(_SIGNATURE):
        return content
    pieces, kept_from, has_pixels = [], 0, False
    for start, end, name in _chunks(content):
        has_pixels |= name == b"IDAT"
        if not _is_needless(content, start, end, name, has_pixels):
            continue
        pieces.append(content[kept_from:start])
        kept_from = end
    return b"".join([*pieces, content[kept_from:]]) if pieces else content


def _chunks(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Where each whole chunk begins and ends, and its type."""
    start = len(_SIGNATURE)
    while start + _AROUND_BYTES <= len(content):
        (n_bytes,) = struct.unpack_from(">I", content, start)
        end = start + _AROUND_BYTES + n_bytes
        if end > len(content):
            return
        yield start, end, content[start + 4 : start + 8]
        start = end


def _is_needless(content: bytes, start: int, end: int, name: bytes, has_pixels: bool) -> bool:
    if name[:1].isupper():  # what the pixels need
        return False
    if name in _TEXTS or (name == b"eXIf" and has_pixels):
        return True
    checksum = zlib.crc32(memoryview(content)[start + 4 : end - 4])
    return content[end - 4 : end] != checksum.to_bytes(4, "big")
