"""Picture files that say how they are turned, in every place where files can say so."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

WIDTH, HEIGHT = 32, 16
_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>"""
_OPTIONS: dict[str, dict[str, object]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95},
    "TIFF": {},
}


def picture() -> Image.Image:
    """Red top left and blue bottom right, on white."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    image.paste("red", (0, 0, WIDTH // 2, HEIGHT // 2))
    image.paste("blue", (WIDTH // 2, HEIGHT // 2, WIDTH, HEIGHT))
    return image


def saved(kind: str, **options: object) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    picture().save(buffer, kind, **{**_OPTIONS[kind], **options})  # type: ignore[arg-type]
    return buffer.getvalue()


def tiff(orientation: int, *, kind: int = 3) -> bytes:
    """EXIF's TIFF structure with an orientation alone."""
    return b"II*\0" + struct.pack("<IHHHIIxxxx", 8, 1, 0x112, kind, 1, orientation)


def exif(orientation: int, *, kind: int = 3) -> bytes:
    """EXIF as JPEG and others have it."""
    return b"Exif\0\0" + tiff(orientation, kind=kind)


def chunk(name: bytes, content: bytes, *, is_damaged: bool = False) -> bytes:
    """A chunk of a PNG file."""
    checksum = zlib.crc32(name + content) ^ is_damaged
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png(*, before: bytes = b"", behind: bytes = b"") -> bytes:
    """A PNG file with chunks before and behind its pixels."""
    plain = saved("PNG")
    pixels, end = plain.index(b"IDAT") - 4, plain.index(b"IEND") - 4
    return plain[:pixels] + before + plain[pixels:end] + behind + plain[end:]


def _raw_profile() -> bytes:
    content = exif(6)
    text = b"\nexif\n%8d\n" % len(content) + content.hex().encode() + b"\n"
    return chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))


def _with_segment(*segments: bytes) -> bytes:
    """A JPEG file with application segments before all others."""
    plain = saved("JPEG")
    marked = [b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment for segment in segments]
    return plain[:2] + b"".join(marked) + plain[2:]


def pictures() -> dict[str, bytes]:
    """Files by what is special about them; the first word is the kind."""
    files = {
        f"{kind} with orientation {orientation} in EXIF": saved(kind, exif=exif(orientation))
        for kind in ("JPEG", "PNG", "WEBP", "AVIF")
        for orientation in range(1, 9)
    }
    files |= {
        f"{kind} with an orientation in XMP": saved(kind, xmp=_XMP)
        for kind in ("JPEG", "WEBP", "AVIF")
    }
    long, odd = exif(6, kind=4), b"Exif\0\0none"
    files |= {  # without dots an inch Pillow looks into EXIF before anybody asks
        f"JPEG with dots an inch and {what} EXIF": saved("JPEG", exif=content, dpi=(72, 72))
        for what, content in (("damaged", odd), ("emptied", odd[:6] + bytes(30)), ("cut", odd[:8]))
    }
    text = b"a\0" + b"b" * 2_000_000
    return files | {
        "JPEG with orientation 3 in EXIF and 6 in XMP": saved("JPEG", exif=exif(3), xmp=_XMP),
        "JPEG with orientation 9": saved("JPEG", exif=exif(9)),
        "JPEG with an orientation of four bytes": saved("JPEG", exif=long),
        "JPEG with damaged EXIF": saved("JPEG", exif=odd),
        "PNG with damaged EXIF": png(before=chunk(b"eXIf", b"none")),
        "PNG with EXIF's prefix": png(before=chunk(b"eXIf", exif(6))),
        "PNG with EXIF behind its pixels": png(behind=chunk(b"eXIf", tiff(6))),
        "PNG with EXIF of a wrong checksum": png(before=chunk(b"eXIf", tiff(6), is_damaged=True)),
        "PNG with EXIF in a text": png(before=_raw_profile()),
        "PNG with XMP": png(before=chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _XMP)),
        "PNG with a text of a wrong checksum": png(before=chunk(b"tEXt", b"a\0b", is_damaged=True)),
        "PNG with a long text": png(before=chunk(b"tEXt", text)),
        "PNG with a long packed text": png(before=chunk(b"zTXt", b"a\0\0" + zlib.compress(text))),
        "PNG with EXIF twice": png(before=chunk(b"eXIf", tiff(1)) + chunk(b"eXIf", tiff(6))),
        "PNG with a damaged profile": png(before=chunk(b"iCCP", b"none")),
        "PNG with damaged EXIF and a damaged profile": png(
            before=chunk(b"iCCP", b"none") + chunk(b"eXIf", b"none")
        ),
        "JPEG with orientation 6 in EXIF of another prefix": _with_segment(b"Exif\0\xff" + tiff(6)),
        "JPEG with orientation 3 in the first EXIF of two": _with_segment(exif(3), exif(6)),
        "JPEG with a word of small letters before EXIF": _with_segment(b"exif\0\0" + tiff(6)),
        "PNG with a size of a wrong checksum": png(
            before=chunk(b"pHYs", bytes(9), is_damaged=True)
        ),
    }
