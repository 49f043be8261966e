"""How a photo is turned when it is shown: as Chromium does it, since that is what people click on.

| format | followed |
|---|---|
| JPEG | the orientation in EXIF |
| PNG | the same, in a chunk `eXIf` before the pixels |
| AVIF | its turn and mirror, which Pillow gives as an orientation in EXIF |
| TIFF, which browsers do not show | the orientation in its own tags, which Pillow applies |
| WebP and others | nothing |

An orientation that stands in XMP alone is followed in none of them.
"""

from __future__ import annotations

import struct

from PIL import ExifTags, Image

_UPRIGHT = 1
_PREFIX = b"Exif\0\0"  # in front of the structure, in PNG by Pillow
_SHORT = 3  # TIFF's type of two bytes
_ENTRY_BYTES = 12
_MAX_ENTRIES = 1000
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
_FOLLOWED = ("JPEG", "MPO", "PNG", "AVIF")


def shown_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height in pixels of an opened image as it is shown."""
    return image.size[::-1] if _orientation(image) in _SIDEWAYS else image.size


def is_turned(image: Image.Image) -> bool:
    """Return whether an opened image is shown in another order than its file has it."""
    if image.format == "TIFF":
        return image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT) in _TURNS
    return _orientation(image) != _UPRIGHT


def turned(image: Image.Image) -> Image.Image:
    """Return an opened image as it is shown."""
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def exif_orientation(exif: bytes) -> int:
    """Return the orientation that EXIF's TIFF structure has in its first directory, 1..8.

    Anything else than a number of two bytes counts as upright, 1, and so does what is damaged.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return _UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (n_entries,) = struct.unpack_from(f"{order}H", exif, start)
        for index in range(min(n_entries, _MAX_ENTRIES)):
            place = start + 2 + index * _ENTRY_BYTES
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", exif, place)
            if tag == ExifTags.Base.Orientation:
                is_known = kind == _SHORT and count == 1 and value in _TURNS
                return int(value) if is_known else _UPRIGHT
    except struct.error:  # it ends too soon
        pass
    return _UPRIGHT


def _orientation(image: Image.Image) -> int:
    """What is still to be done: Pillow turns TIFF by itself."""
    exif = image.info.get("exif")
    if image.format not in _FOLLOWED or not isinstance(exif, bytes):
        return _UPRIGHT
    return exif_orientation(exif.removeprefix(_PREFIX))
