"""The images of an export: copied, linked, or only named."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from backend.images.address import file_name
from backend.images.decoding import check_whole, decode_image, read_header
from backend.images.sources import ImageFiles
from mfp_model.errors import ImageError

MODES = ("copy", "link", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedImage:
    """An image of the export: its file's name, and its size in pixels as a browser shows it."""

    file_name: str
    width: int
    height: int


class ImagePlacer:
    """Puts the tasks' images into the export's folder."""

    def __init__(
        self, sources: ImageFiles, folder: Path, *, mode: str, max_megapixels: float
    ) -> None:
        self._sources = sources
        self._folder = folder
        self._mode = mode
        self._max_megapixels = max_megapixels

    def place(self, address: str, *, task_id: int, prefix: str) -> PlacedImage:
        """Put an image into the folder.

        Tools for COCO differ in which orientation they apply, so a photo that has any is written
        upright, as PNG, as browsers show it; any other file is copied byte by byte, or linked.

        Args:
            address: As the task names it.
            task_id: Label Studio's.
            prefix: What the file's name begins with.

        Raises:
            ImageError: It cannot be read, is no whole image, or cannot be linked.
            LabelStudioError: Label Studio does not accept the token.
        """
        content = self._sources.read(address, str(task_id))
        header = read_header(content, max_megapixels=self._max_megapixels)
        check_whole(content, max_megapixels=self._max_megapixels)
        stem = prefix + Path(file_name(address)).stem
        name = stem + (header.suffix if header.is_upright else ".png")
        path = self._folder / name
        path.unlink(missing_ok=True)
        if not header.is_upright:
            pixels = decode_image(content, max_megapixels=self._max_megapixels)
            upright = io.BytesIO()
            Image.fromarray(pixels).save(upright, format="PNG")
            path.write_bytes(upright.getvalue())
        elif self._mode == "link":
            target = self._sources.mounted(address)
            if target is None:
                raise ImageError(
                    "lies in no folder that is mounted here (MFP_LABEL_STUDIO_DATA_DIR, "
                    "MFP_LOCAL_FILES_DIR), so it cannot be linked"
                )
            path.symlink_to(target)
        else:
            path.write_bytes(content)
        return PlacedImage(file_name=name, width=header.width, height=header.height)

    def keep_only(self, names: Collection[str]) -> None:
        """Remove images that are in the folder for nothing, as those of a run that was cut."""
        for path in self._folder.iterdir():
            if path.name not in names:
                path.unlink()
