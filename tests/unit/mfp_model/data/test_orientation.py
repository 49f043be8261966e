import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from mfp_model.data.orientation import turned, turned_back, turned_point
from mfp_model.data.pictures import check_image, decode_image, read_header
from mfp_model.errors import ImageError


def _file(turn: int, form: str = "PNG") -> tuple[bytes, np.ndarray]:
    pixels = np.random.default_rng(turn).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = turn
    Image.fromarray(pixels).save(buffer, form, exif=exif)
    return buffer.getvalue(), pixels


@pytest.mark.parametrize("turn", range(1, 9))
def test_pixels_and_masks_turn_as_pillow_turns_photos(turn: int) -> None:
    content, pixels = _file(turn)
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert (turned(pixels, turn) == expected).all()
    assert (turned_back(expected, turn) == pixels).all()
    assert (decode_image(content) == expected).all()
    header = read_header(content)
    assert (header.height, header.width) == expected.shape[:2]
    assert (header.stored_height, header.stored_width) == (5, 7)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_point_goes_where_its_pixel_goes(turn: int) -> None:
    mask = np.zeros((5, 7), dtype=np.bool_)
    mask[1, 5] = True
    x, y = turned_point(5.5, 1.5, turn, height=5, width=7)
    assert np.argwhere(turned(mask, turn)).tolist() == [[y - 0.5, x - 0.5]]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_a_file_that_is_cut_off_is_not_whole(tmp_path: Path, form: str) -> None:
    path, buffer = tmp_path / "photo", io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3)).astype(np.uint8)
    Image.fromarray(noise).save(buffer, form)
    path.write_bytes(buffer.getvalue())
    assert check_image(path).width == 90
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(ImageError, match="photo: image cannot be decoded"):
        check_image(path)
