"""COCO's images beside their files: whether each is there, whole, and of COCO's size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from mfp_model.data.coco import OnProblem
from mfp_model.data.coco_data import CocoData, CocoImage
from mfp_model.data.image_header import ImageHeader
from mfp_model.data.pictures import check_image
from mfp_model.errors import DataError, ImageError


def checked_images(
    data: CocoData, on_problem: OnProblem
) -> Iterator[tuple[CocoImage, ImageHeader]]:
    """Yield the images that have objects and whole files, each with its file's header.

    Args:
        data: The data set.
        on_problem: Told of each image that is left out, and why.
    """

    def check(image: CocoImage) -> ImageHeader | str:
        try:
            header = check_image(image.path)
            image.turn(header)
        except (ImageError, DataError) as error:
            return str(error)
        return header

    images = [image for image in data.images if image.objects]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        for image, header in zip(images, threads.map(check, images), strict=True):
            if isinstance(header, str):
                on_problem(f"{data.where(image)}: {header}")
            else:
                yield image, header
