"""The files of an export, as programs read them that turn what says that it is turned."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from backend.exchange.placing import ImagePlacer
from backend.images.decoding import decode_image
from mfp_model.errors import ImageError
from tests.unit.backend.images.pictures import pictures


class _OneFile:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, address: str, task_id: str) -> bytes:
        return self._content

    def mounted(self, address: str) -> Path | None:
        return None


@pytest.mark.parametrize(
    "name",
    [
        "WEBP with orientation 3 in EXIF",
        "WEBP with orientation 6 in EXIF",
        "JPEG with orientation 6 in EXIF",
        "JPEG with an orientation in XMP",
        "PNG with EXIF in a text",
    ],
)
def test_an_exported_photo_lies_as_the_browser_shows_it_in_every_program(
    name: str, tmp_path: Path
) -> None:
    content = pictures()[name]
    placer = ImagePlacer(_OneFile(content), tmp_path, mode="copy", max_megapixels=1)
    placed = placer.place("/a.img", task_id=1, prefix="")
    shown = decode_image(content, max_megapixels=1)
    assert (placed.height, placed.width) == shown.shape[:2]
    written = Image.open(io.BytesIO((tmp_path / placed.file_name).read_bytes()))
    for read in (written, ImageOps.exif_transpose(written)):
        np.testing.assert_array_equal(np.asarray(read.convert("RGB")), shown)


@pytest.mark.parametrize("form", ["TIFF", "JPEG", "PNG"])
def test_a_file_that_is_cut_off_is_not_exported(tmp_path: Path, form: str) -> None:
    noise, buffer = np.random.default_rng(0).integers(0, 256, (60, 80, 3)), io.BytesIO()
    Image.fromarray(noise.astype(np.uint8)).save(buffer, form)
    content = buffer.getvalue()
    placer = ImagePlacer(
        _OneFile(content[: len(content) // 2]), tmp_path, mode="copy", max_megapixels=1
    )
    with pytest.raises(ImageError, match="cannot be decoded"):
        placer.place("/a", task_id=1, prefix="1-")
    assert not list(tmp_path.iterdir())
