"""Images within the server's limit of size; `mfp_model.data.pictures` decides all else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from mfp_model.data import pictures
from mfp_model.data.image_header import ImageHeader
from mfp_model.data.pictures import ImageTooLargeError
from mfp_model.errors import ImageError


def decode_image(content: bytes, *, max_megapixels: float) -> NDArray[np.uint8]:
    """Return an image as `mfp_model.data.pictures.decode_image` does.

    Raises:
        ImageError: As there; what is too large names the setting.
    """
    with _naming_the_setting():
        return pictures.decode_image(content, max_megapixels=max_megapixels)


def read_header(content: bytes, *, max_megapixels: float) -> ImageHeader:
    """Return what `mfp_model.data.pictures.read_header` does.

    Raises:
        ImageError: As there; what is too large names the setting.
    """
    with _naming_the_setting():
        return pictures.read_header(content, max_megapixels=max_megapixels)


def check_whole(content: bytes, *, max_megapixels: float) -> None:
    """Refuse a file that `decode_image` would refuse, in less time.

    Raises:
        ImageError: As in `decode_image`.
    """
    with _naming_the_setting():
        pictures.check_whole(content, max_megapixels=max_megapixels)


@contextmanager
def _naming_the_setting() -> Iterator[None]:
    try:
        yield
    except ImageTooLargeError as error:
        raise ImageError(f"{error} (MFP_MAX_MEGAPIXELS)") from None
