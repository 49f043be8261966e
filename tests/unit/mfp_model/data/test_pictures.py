"""Files that are no whole pictures."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pytest
from PIL import Image, features

from mfp_model.data.pictures import check_whole, decode_image
from mfp_model.errors import ImageError


def _saved(form: str, mode: str) -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").convert(mode).save(file, form)
    return file.getvalue()


def _png_without_palette() -> bytes:
    content = _saved("PNG", "P")
    start = content.index(b"PLTE") - 4
    n_bytes = int.from_bytes(content[start : start + 4], "big")
    return content[:start] + content[start + n_bytes + 12 :]


def _avif_without_items() -> bytes:
    if not features.check("avif"):
        pytest.skip("this build of Pillow reads no AVIF")
    return _saved("AVIF", "RGB").replace(b"iloc", b"none")


def _tiff_with_a_fraction_for_a_place() -> bytes:
    content, strips, long, rational = _saved("TIFF", "L"), 273, 4, 5
    return content.replace(struct.pack("<HH", strips, long), struct.pack("<HH", strips, rational))


@pytest.mark.parametrize(
    "damaged", [_png_without_palette, _avif_without_items, _tiff_with_a_fraction_for_a_place]
)
def test_a_damaged_file_is_an_image_error_whoever_looks(damaged: Callable[[], bytes]) -> None:
    content = damaged()
    for look in (decode_image, check_whole):
        with pytest.raises(ImageError):
            look(content)
