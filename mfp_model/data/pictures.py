"""Bytes of an image file -> RGB pixels as a browser shows them: the one place that decides.

Whatever shows, learns from, judges on, exports or imports a photo asks here how large it is, how
it is turned, and whether its file is whole.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from mfp_model.data.exif import UPRIGHT, orientation_of
from mfp_model.data.image_header import ImageHeader
from mfp_model.data.orientation import SIDEWAYS, turned
from mfp_model.data.png import pixels_alone, without_needless_chunks
from mfp_model.errors import ImageError
from mfp_model.masks.rle import MAX_PIXELS

LARGEST_MEGAPIXELS = 178  # Pillow takes larger ones for decompression bombs
UNREADABLE = (
    *(OSError, SyntaxError, ValueError, RuntimeError, TypeError, AttributeError, AssertionError),
    *(LookupError, ArithmeticError, EOFError, struct.error, Image.DecompressionBombError),
)
"""What Pillow raises where a file is damaged, or too large: nearly anything."""
# What browsers show, and photos' other formats. Not, for example, EPS, which Pillow would hand to
# another program to run.
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")
_16_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_STRETCHED_FORMATS = ("TIFF", "JPEG2000")
_MARKS_OF_A_TURN = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
_SUFFIXES = {"JPEG": ".jpg", "JPEG2000": ".jp2"}


class ImageTooLargeError(ImageError):
    """An image of more pixels than are allowed."""


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Return the image of a file as `decode_image` does.

    Raises:
        ImageError: As in `decode_image`, or there is no such file; the message names it.
    """
    file = Path(path)
    with _named(file):
        return decode_image(file.read_bytes())


def check_image(path: Path) -> ImageHeader:
    """Return what a file's header tells, once it is known that the file is whole.

    Raises:
        ImageError: As in `read_image`.
    """
    with _named(path):
        content = path.read_bytes()
        check_whole(content)
        return read_header(content)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the file in what is raised."""
    try:
        yield
    except FileNotFoundError:
        raise ImageError(f"no such file: {path}") from None
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from None
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def check_whole(content: bytes, *, max_megapixels: float = MAX_PIXELS / 1e6) -> None:
    """Refuse a file that `decode_image` would refuse; that takes less time for a JPEG.

    Raises:
        ImageError: As in `decode_image`.
    """
    with _opened(content, max_megapixels) as image:
        _check_mode(image)
        image.draft("L", (1, 1))
        image.load()


def decode_image(content: bytes, *, max_megapixels: float = MAX_PIXELS / 1e6) -> NDArray[np.uint8]:
    """Return the image RGB uint8 `[H, W, 3]`, turned as browsers show it, read-only.

    Grey, palette and CMYK become RGB, 16 bits become 8, transparency lies over white; of
    animated and multi-page files the first frame counts. Whole numbers of TIFF and JPEG 2000,
    which browsers do not show, are stretched, since cameras fill 10 or 12 of 16 bits.

    Raises:
        ImageError: Not an image of a known format, truncated, or larger than allowed, which the
            header decides before anything is decoded.
    """
    with _opened(content, max_megapixels) as image:
        rgb = _to_rgb(image, is_stretched=image.format in _STRETCHED_FORMATS)
        is_as_decoded = image.format == "TIFF"  # which Pillow turns by itself
        turn = UPRIGHT if is_as_decoded else orientation_of(image)
        pixels = turned(np.array(rgb, dtype=np.uint8), turn)
    pixels = np.ascontiguousarray(pixels)
    pixels.setflags(write=False)
    return pixels


def read_header(content: bytes, *, max_megapixels: float = MAX_PIXELS / 1e6) -> ImageHeader:
    """Return what an image file's header tells.

    Raises:
        ImageError: As in `decode_image`, but for what only decoding shows.
    """
    with _opened(content, max_megapixels) as image:
        orientation, width, height = orientation_of(image), image.width, image.height
        if image.format == "TIFF" and orientation in SIDEWAYS:  # Pillow tells the size as shown
            width, height = height, width
        return ImageHeader(
            stored_width=width,
            stored_height=height,
            orientation=orientation,
            is_upright=orientation == UPRIGHT and not _claims_a_turn(image, content),
            suffix=_SUFFIXES.get(str(image.format), f".{str(image.format).lower()}"),
        )


def _claims_a_turn(image: Image.Image, content: bytes) -> bool:
    """Whether other programs may turn the file: by EXIF that browsers pass over, or by XMP."""
    if image.format == "PNG":  # EXIF of a PNG is read with its pixels
        return len(without_needless_chunks(content)) < len(content) and any(
            mark in content for mark in _MARKS_OF_A_TURN
        )
    try:
        return image.getexif().get(ExifTags.Base.Orientation, UPRIGHT) in range(2, 9)
    except UNREADABLE:  # damaged: each reads it as it may
        return True


@contextmanager
def _opened(content: bytes, max_megapixels: float) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            # Of bombs, which are refused, and of damaged details. Of several threads' filters one
            # may stay, so none is for all warnings.
            warnings.filterwarnings("ignore", module=r"PIL\b")
            image = _image(without_needless_chunks(content))
            megapixels = image.width * image.height / 1e6
            if megapixels > max_megapixels:
                raise ImageTooLargeError(
                    f"image of {image.width}x{image.height} = {megapixels:.1f} megapixels: "
                    f"at most {max_megapixels:g} are allowed"
                )
            yield image
    except UnidentifiedImageError:
        raise ImageError(
            f"{len(content)} bytes that are {_guess(content)}; "
            f"expected one of {', '.join(_FORMATS)}"
        ) from None
    except Image.DecompressionBombError:
        raise ImageTooLargeError(
            f"image of more than {LARGEST_MEGAPIXELS} megapixels: at most "
            f"{min(max_megapixels, LARGEST_MEGAPIXELS):g} are allowed"
        ) from None
    except UNREADABLE as error:
        raise ImageError(f"image cannot be decoded: {error}") from None


def _image(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=_known_formats())
    except UnidentifiedImageError:
        return Image.open(io.BytesIO(pixels_alone(content)), formats=_known_formats())


def _known_formats() -> list[str]:
    """Those of ours that this build of Pillow reads: AVIF depends on it."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _guess(content: bytes) -> str:
    start = content[:1000].lower()
    if b"<svg" in start:
        return "an SVG drawing, which has no pixels"
    if b"<html" in start or b"<!doctype html" in start:
        return "a web page"
    return "no image file known here"


def _to_rgb(image: Image.Image, *, is_stretched: bool) -> Image.Image:
    if image.mode in _16_BIT_MODES:
        values = np.asarray(image).astype(np.int64)
        eight_bits = _stretched(values) if is_stretched else values.clip(0, 65535) // 257
        return Image.fromarray(eight_bits.astype(np.uint8)).convert("RGB")
    _check_mode(image)
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def _stretched(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers as 0..255: the largest of as many bits as are used becomes white.

    Numbers below zero, or of more than 16 bits, have no scale of their own: theirs goes from the
    lowest to the highest.
    """
    low, high = int(values.min()), int(values.max())
    if low >= 0 and high < 1 << 16:
        low, high = 0, (1 << max(8, high.bit_length())) - 1
    return (values - low) * 255 // max(1, high - low)


def _check_mode(image: Image.Image) -> None:
    if image.mode == "F":
        raise ImageError("image of floating-point pixels: expected 8 or 16 bits per channel")
    if image.mode == "P" and image.palette is None:
        raise ImageError("image of palette colours without a palette")
