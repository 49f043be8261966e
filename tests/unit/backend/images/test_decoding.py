import io

import numpy as np
import pytest
from PIL import Image

from backend.images.decoding import decode_image
from backend.settings import Settings
from mfp_model.data.pictures import LARGEST_MEGAPIXELS
from mfp_model.errors import ConfigError, ImageError


def _file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def _decode(content: bytes) -> np.ndarray:
    return decode_image(content, max_megapixels=1)


def _only(pixels: np.ndarray) -> tuple[int, ...]:
    assert (pixels == pixels[0, 0]).all()
    return tuple(int(value) for value in pixels[0, 0])


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (5, 4), 100), (100, 100, 100)),
        (Image.new("1", (5, 4), 1), (255, 255, 255)),
        (Image.new("RGBA", (5, 4), (0, 0, 0, 0)), (255, 255, 255)),
        (Image.new("LA", (5, 4), (10, 255)), (10, 10, 10)),
        (Image.new("RGB", (5, 4), (1, 2, 3)).quantize(4), (1, 2, 3)),
        (Image.fromarray(np.full((4, 5), 51400, np.uint16)), (200, 200, 200)),
    ],
)
def test_every_mode_becomes_rgb(image: Image.Image, expected: tuple[int, ...]) -> None:
    pixels = _decode(_file(image))
    assert pixels.shape == (4, 5, 3)
    assert pixels.dtype == np.uint8
    assert _only(pixels) == expected


def test_cmyk_becomes_rgb() -> None:
    content = _file(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")
    red, green, blue = _only(_decode(content))
    assert red > 200
    assert green < 60
    assert blue < 60


def test_the_orientation_in_exif_is_applied_as_the_page_does() -> None:
    image = Image.new("RGB", (30, 20), "white")
    image.paste("red", (0, 0, 15, 20))
    exif = image.getexif()
    exif[0x0112] = 6  # turn right
    pixels = _decode(_file(image, "JPEG", exif=exif))
    assert pixels.shape == (30, 20, 3)
    assert tuple(pixels[3, 10] // 128) == (1, 0, 0)
    assert tuple(pixels[27, 10] // 128) == (1, 1, 1)


def test_pixels_cannot_be_changed_by_accident() -> None:
    pixels = _decode(_file(Image.new("RGB", (1, 1))))
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 1


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (6, 6), color) for color in ("red", "blue")]
    content = _file(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert _only(_decode(content)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes that are no image file known here"),
        (b"hello", "no image file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "no image file"),
    ],
)
def test_what_is_no_image_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        _decode(content)


def test_the_first_page_of_a_tiff_counts() -> None:
    pages = [Image.new("RGB", (6, 6), color) for color in ("red", "blue")]
    pixels = _decode(_file(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert pixels[3, 3].tolist() == [255, 0, 0]


def test_a_bomb_is_refused_by_its_header() -> None:
    content = _file(Image.new("1", (16000, 16000)), "PNG")
    assert len(content) < 100_000
    with pytest.raises(ImageError, match="MFP_MAX_MEGAPIXELS"):
        _decode(content)


def test_the_setting_goes_as_far_as_images_can_be_read() -> None:
    assert LARGEST_MEGAPIXELS == int(Image.MAX_IMAGE_PIXELS * 2 / 1e6)
    assert Settings.from_env({"MFP_MAX_MEGAPIXELS": f"{LARGEST_MEGAPIXELS}"}).max_megapixels == 178
    with pytest.raises(ConfigError, match="value <= 178"):
        Settings.from_env({"MFP_MAX_MEGAPIXELS": f"{LARGEST_MEGAPIXELS + 1}"})


def test_truncated_files_are_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    for kind in ("PNG", "JPEG"):
        content = _file(Image.fromarray(noise), kind)
        with pytest.raises(ImageError, match="cannot be decoded"):
            _decode(content[: len(content) // 2])


@pytest.mark.slow
def test_large_images_are_refused_by_their_header() -> None:
    content = _file(Image.new("L", (2000, 1000)))
    with pytest.raises(ImageError, match=r"2000x1000 = 2\.0 megapixels"):
        _decode(content)
    bomb = _file(Image.new("1", (30000, 30000)))
    with pytest.raises(ImageError, match=r"megapixels|refused"):
        _decode(bomb)


def test_floating_point_pixels_are_refused() -> None:
    with pytest.raises(ImageError, match="floating-point"):
        _decode(_file(Image.new("F", (3, 3)), "TIFF"))


def _tiff(values: np.ndarray) -> bytes:
    return _file(Image.fromarray(values), "TIFF")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 4095]], np.uint16), (0, 255)),
        (np.array([[0, 2048]], np.uint16), (0, 127)),
        (np.array([[0, 1023]], np.uint16), (0, 255)),
        (np.array([[0, 65535]], np.uint16), (0, 255)),
        (np.array([[0, 200]], np.uint16), (0, 200)),
        (np.array([[0, 4095]], np.int32), (0, 255)),
        (np.array([[-100, 100]], np.int32), (0, 255)),
        (np.array([[0, 2_000_000_000]], np.int32), (0, 255)),
        (np.array([[-5, -5]], np.int32), (0, 0)),
    ],
)
def test_whole_numbers_of_tiff_are_stretched_and_not_black(
    values: np.ndarray, expected: tuple[int, int]
) -> None:
    assert tuple(_decode(_tiff(values))[0, :, 0]) == expected


def test_dark_16_bits_of_png_stay_dark_as_browsers_show_them() -> None:
    values = np.full((4, 5), 4095, np.uint16)
    assert _only(_decode(_file(Image.fromarray(values)))) == (15, 15, 15)
