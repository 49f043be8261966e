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
from PIL.JpegImagePlugin import JpegImageFile

UPRIGHT = 1
_PREFIX = b"Exif\0\0"  # in front of the structure, in PNG by Pillow
_SHORT = 3  # TIFF's type of two bytes
_ENTRY_BYTES = 12
_MAX_ENTRIES = 1000
_KNOWN = range(1, 9)
_FOLLOWED = ("PNG", "AVIF")  # and JPEG


def orientation_of(image: Image.Image) -> int:
    """Return how the pixels in an opened image's file are turned when it is shown: 1 to 8."""
    if image.format == "TIFF":
        orientation = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
        return orientation if orientation in _KNOWN else UPRIGHT
    if isinstance(image, JpegImageFile):  # browsers look at five letters, Pillow at six
        segments = (segment for name, segment in image.applist if name == "APP1")
        first = next((segment for segment in segments if segment.startswith(_PREFIX[:5])), b"")
        return exif_orientation(first[len(_PREFIX) :])
    exif = image.info.get("exif")
    if image.format not in _FOLLOWED or not isinstance(exif, bytes):
        return UPRIGHT
    return exif_orientation(exif.removeprefix(_PREFIX))


def exif_orientation(exif: bytes) -> int:
    """Return the orientation that EXIF's TIFF structure has in its first directory, 1..8.

    Anything else than a number of two bytes counts as upright, 1, and so does what is damaged.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (n_entries,) = struct.unpack_from(f"{order}H", exif, start)
        for index in range(min(n_entries, _MAX_ENTRIES)):
            place = start + 2 + index * _ENTRY_BYTES
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", exif, place)
            if tag == ExifTags.Base.Orientation:
                is_known = kind == _SHORT and count == 1 and value in _KNOWN
                return int(value) if is_known else UPRIGHT
    except struct.error:  # it ends too soon
        pass
    return UPRIGHT
