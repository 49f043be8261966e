"""Addresses for the images of a COCO folder, as a task's data has them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from backend.exchange.annotations import image_source
from mfp_model.data.coco_data import CocoImage
from mfp_model.errors import DataError

ImageAddress = Callable[[CocoImage], str]

_CLOUD = ("s3:", "gs:", "azure-blob:")


def prefixed(prefix: str) -> ImageAddress:
    """Return an address for each image: a prefix and the file's name.

    Letters that mean something in an address are written as their numbers: `a+b.png` becomes
    `a%2Bb.png`. Cloud storage takes names as they are, and has no way to write a `?`.
    """

    def address(image: CocoImage) -> str:
        if prefix.startswith(_CLOUD):
            if "?" in image.file_name:
                raise DataError(f"{image.file_name}: a name with ? has no address in {prefix}")
            return prefix + image.file_name
        return prefix + quote(image.file_name)

    return address


def original(image: CocoImage) -> str:
    """Return the address that the image had in the Label Studio that it was exported from.

    Raises:
        DataError: The folder does not tell it, or not all of it.
    """
    source = image_source(image)
    address = source.get("image")
    if not isinstance(address, str):
        raise DataError(f"{image.file_name}: the folder does not tell its address")
    if source.get("is_shortened"):
        raise DataError(
            f"{image.file_name}: its address {address!r:.80} was exported without what is secret "
            "in it; expected one that is whole"
        )
    return address
