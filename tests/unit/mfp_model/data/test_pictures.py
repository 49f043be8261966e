"""Files that are no whole pictures."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable

import pytest
from PIL import Image, features

from mfp_model.data.pictures import _opened, check_whole, decode_image, read_header
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


def test_reading_in_several_threads_silences_no_other_warnings() -> None:
    content, megapixels = _saved("PNG", "L"), 1
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        first, second = (_opened(content, megapixels) for _ in range(2))
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)  # as where threads end in the order in which they began
        second.__exit__(None, None, None)
        warnings.warn("somebody else's", stacklevel=1)
    assert [str(warning.message) for warning in heard] == ["somebody else's"]


def test_a_damaged_detail_is_read_over_without_a_warning() -> None:
    file, broken = io.BytesIO(), b"Exif\0\0II*\0\x08\0\0\0\xff\x00\x12\x01"
    Image.radial_gradient("L").save(file, "JPEG", exif=broken)
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        Image.open(io.BytesIO(file.getvalue())).getexif()
    assert read_header(file.getvalue()).orientation == 1
    assert decode_image(file.getvalue()).shape == (256, 256, 3)
