"""Bytes of an image file -> RGB pixels as a browser shows them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from mfp_model.errors import ImageError

# What browsers show, and photos' other formats. Not, for example, EPS, which Pillow would hand to
# another program to run.
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")
_16_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_SUFFIXES = {"JPEG": ".jpg", "JPEG2000": ".jp2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What is known of an image before it is decoded.

    Attributes:
        width: In pixels as a browser shows it, EXIF orientation applied.
        height: Likewise.
        is_turned: The file's pixels lie in another order than they are shown.
        suffix: Of the file's format, with its dot.
    """

    width: int
    height: int
    is_turned: bool
    suffix: str


def decode_image(content: bytes, *, max_megapixels: float) -> NDArray[np.uint8]:
    """Return the image RGB uint8 `[H, W, 3]`, EXIF orientation applied, read-only.

    Grey, palette and CMYK become RGB, 16 bits become 8, transparency lies over white; of
    animated and multi-page files the first frame counts.

    Raises:
        ImageError: Not an image of a known format, truncated, or larger than allowed, which the
            header decides before anything is decoded.
    """
    with _opened(content, max_megapixels) as image:
        pixels = np.array(_to_rgb(ImageOps.exif_transpose(image)), dtype=np.uint8)
    pixels.setflags(write=False)
    return pixels


def read_header(content: bytes, *, max_megapixels: float) -> ImageHeader:
    """Return what an image file's header tells.

    Raises:
        ImageError: As in `decode_image`, but for what only decoding shows.
    """
    with _opened(content, max_megapixels) as image:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
        width, height = image.size if turn not in (5, 6, 7, 8) else image.size[::-1]
        suffix = _SUFFIXES.get(str(image.format), f".{str(image.format).lower()}")
    return ImageHeader(width=width, height=height, is_turned=turn in range(2, 9), suffix=suffix)


@contextmanager
def _opened(content: bytes, max_megapixels: float) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=_known_formats())
            megapixels = image.width * image.height / 1e6
            if megapixels > max_megapixels:
                raise ImageError(
                    f"image of {image.width}x{image.height} = {megapixels:.1f} megapixels: "
                    f"at most {max_megapixels:g} are allowed (MFP_MAX_MEGAPIXELS)"
                )
            yield image
    except UnidentifiedImageError:
        raise ImageError(
            f"{len(content)} bytes that are {_guess(content)}; "
            f"expected one of {', '.join(_FORMATS)}"
        ) from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"image refused: {error}") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"image cannot be decoded: {error}") from None


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


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _16_BIT_MODES:
        values = np.asarray(image).astype(np.int64).clip(0, 65535) // 257
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ImageError("image of floating-point pixels: expected 8 or 16 bits per channel")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")
