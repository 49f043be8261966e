"""The image files of a folder, and of the folders in it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mfp_model.errors import ImageError

_SUFFIXES = tuple(".avif .bmp .gif .jp2 .jpeg .jpg .png .ppm .tif .tiff .webp".split())


def images_of(
    root: Path, out: Path, *, on_problem: Callable[[str], object] = lambda _: None
) -> list[Path]:
    """Return the image files of a folder and the folders in it, sorted, relative to it.

    What is hidden is none of them, and what an earlier run wrote.

    Args:
        root: The folder.
        out: Where copies of them are written, which may lie in the folder.
        on_problem: Told of each folder in it that cannot be read.

    Raises:
        ImageError: There is none.
        OSError: The folder cannot be read.
    """

    def tell(error: OSError) -> None:
        if Path(error.filename) == root:
            raise error
        on_problem(f"{error.filename}: {error.strerror}")

    written = out.resolve()
    paths = []
    for folder, inner, names in os.walk(root, onerror=tell):
        inner[:] = [name for name in inner if not name.startswith(".")]
        paths += [Path(folder, name) for name in names if _is_image(name)]
    paths = [
        path for path in paths if path.is_file() and not path.resolve().is_relative_to(written)
    ]
    if not paths:
        raise ImageError(f"{root}: no image in it")
    return sorted(path.relative_to(root) for path in paths)


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(_SUFFIXES)


def state_digest(root: Path, path: Path) -> str:
    """Return what tells a file from others, and from what it was before it changed or went."""
    try:
        state = (root / path).stat()
        content = f"{path} {state.st_size} {state.st_mtime_ns}"
    except OSError:
        content = f"{path}"
    return hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Images by their path in a folder, as `ImagePlacer` takes them.

    Attributes:
        root: The folder.
    """

    root: Path

    def read(self, address: str, task_id: str) -> bytes:
        """See `ImageFiles.read`."""
        try:
            return (self.root / address).read_bytes()
        except OSError as error:
            raise ImageError(f"{address}: {error.strerror}") from None

    def mounted(self, address: str) -> Path | None:
        """See `ImageFiles.mounted`."""
        return (self.root / address).absolute()
