"""How files are turned, and the browser as the judge of it."""

import base64
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page

from backend.images.decoding import decode_image, read_header
from mfp_model.data.exif import exif_orientation
from tests.browser import running_browser
from tests.unit.backend.images.pictures import HEIGHT, WIDTH, exif, pictures, png, saved, tiff

_FILES = pictures()
_SHOW = """async address => {
  const image = new Image();
  await new Promise((done, fail) => { image.onload = done; image.onerror = fail;
    image.src = address; });
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return [canvas.width, canvas.height, Array.from(pixels)];
}"""


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with running_browser() as browser:
        yield browser.new_page()


@pytest.mark.browser
@pytest.mark.parametrize("name", _FILES)
def test_a_file_is_decoded_as_the_browser_shows_it(browser_page: Page, name: str) -> None:
    content = _FILES[name]
    mime = f"image/{name.split()[0].lower()}"
    address = f"data:{mime};base64,{base64.b64encode(content).decode()}"
    width, height, values = browser_page.evaluate(_SHOW, address)
    shown = np.array(values, dtype=np.uint8).reshape(height, width, 4)[:, :, :3]
    decoded = decode_image(content, max_megapixels=1)
    assert decoded.shape == shown.shape
    assert np.abs(decoded.astype(int) - shown).mean() < 8
    header = read_header(content, max_megapixels=1)
    assert (header.width, header.height) == (width, height)


@pytest.mark.parametrize("name", _FILES)
def test_only_exif_of_jpeg_png_and_avif_turns_a_file(name: str) -> None:
    words = name.split()
    turn = int(words[3]) if words[1:3] == ["with", "orientation"] and words[0] != "WEBP" else 1
    pixels = decode_image(_FILES[name], max_megapixels=1)
    assert pixels.shape[:2] == ((WIDTH, HEIGHT) if 5 <= turn <= 8 else (HEIGHT, WIDTH))
    top, left = {
        1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0),
        5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0), 9: (0, 0),
    }[turn]  # fmt: skip
    red, green, blue = pixels[top, left].astype(int)
    assert (red > 200, green < 90, blue < 90) == (True, True, True)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_tags_of_tiff_are_followed(orientation: int) -> None:
    content = saved("TIFF", tiffinfo={0x112: orientation})
    header = read_header(content, max_megapixels=1)
    pixels = decode_image(content, max_megapixels=1)
    assert pixels.shape[:2] == (header.height, header.width)
    assert header.is_upright == (orientation == 1)


@pytest.mark.parametrize(
    ("content", "is_upright"),
    [
        (saved("JPEG"), True),
        (saved("JPEG", exif=exif(1)), True),
        (saved("JPEG", exif=exif(3)), False),
        (saved("WEBP", exif=exif(3)), False),  # other programs turn it
        (_FILES["JPEG with an orientation in XMP"], False),
        (saved("PNG"), True),
        (_FILES["PNG with a long text"], True),
        (_FILES["PNG with XMP"], False),
        (_FILES["PNG with EXIF behind its pixels"], False),
        (_FILES["PNG with EXIF in a text"], False),
        (saved("PNG", exif=exif(6)), False),
    ],
)
def test_what_other_programs_may_turn_is_known(content: bytes, is_upright: bool) -> None:
    assert read_header(content, max_megapixels=1).is_upright == is_upright


def test_damaged_exif_is_upright() -> None:
    for length in range(len(tiff(6)) - 4):
        assert exif_orientation(tiff(6)[:length]) in (1, 6)
    assert exif_orientation(b"MM\0*" + bytes.fromhex("00000008 0001 0112 0003 00000001 0006")) == 6
    assert exif_orientation(b"II*\0\xff\xff\xff\xff") == 1


def test_a_png_that_ends_in_a_chunk_is_refused_as_before() -> None:
    whole = png(before=b"\0\0\xff\xfftEXt")
    with pytest.raises(Exception, match="decoded|no image file"):
        decode_image(whole, max_megapixels=1)
