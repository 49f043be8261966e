"""PNG files as browsers read them: what stands beside the pixels cannot make them unreadable."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_NEEDED = (b"tRNS", b"eXIf", b"fcTL", b"fdAT")
_AROUND_BYTES = 12  # length, type and checksum of a chunk


def without_needless_chunks(content: bytes) -> bytes:
    """Return a file without what browsers pass over; any but a PNG as it is.

    That are texts, chunks beside the pixels whose checksum is wrong, EXIF behind the pixels, and
    any EXIF but the first.
    """
    if not content.startswith(_SIGNATURE):
        return content
    needless, has_exif = [], False
    for start, end, name in _chunks(content):
        has_exif |= name == b"IDAT"
        if _is_needless(content, start, end, name, has_exif):
            needless.append((start, end))
        else:
            has_exif |= name == b"eXIf"
    return _without(content, needless)


def pixels_alone(content: bytes) -> bytes:
    """Return a PNG file without anything that its pixels and their place do not need.

    Browsers pass over a colour profile, for one, that they cannot read.
    """
    if not content.startswith(_SIGNATURE):
        return content
    chunks = _chunks(content)
    return _without(
        content,
        [(start, end) for start, end, name in chunks if name[:1].islower() and name not in _NEEDED],
    )


def _without(content: bytes, places: list[tuple[int, int]]) -> bytes:
    if not places:
        return content
    starts, ends = zip(*places, strict=True)
    kept = zip((0, *ends), (*starts, len(content)), strict=True)
    return b"".join(content[start:end] for start, end in kept)


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


def _is_needless(content: bytes, start: int, end: int, name: bytes, has_exif: bool) -> bool:
    if name[:1].isupper():  # what the pixels need
        return False
    if name in _TEXTS or (name == b"eXIf" and has_exif):
        return True
    checksum = zlib.crc32(memoryview(content)[start + 4 : end - 4])
    return content[end - 4 : end] != checksum.to_bytes(4, "big")
