"""Where COCO's files lie: the annotations in a folder, and the images beside them.

| made by | annotations | images |
|---|---|---|
| this project | `annotations.json` | `images/` |
| Label Studio | `result.json`, `result_coco.json` | `images/`; names may be a server's paths |
| Roboflow | `_annotations.coco.json` | beside it |
| COCO, CVAT | `annotations/instances_SPLIT.json` | `SPLIT/`, `images/SPLIT/`, `images/` |
| LVIS | any file, also in `annotations/` | `SPLIT/`, `images/SPLIT/`, as their addresses end |
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from mfp_model.errors import DataError

ANNOTATIONS = "annotations.json"
IMAGES = "images"  # the folder beside a file of annotations
_NAMES = (ANNOTATIONS, "_annotations.coco.json", "result.json", "result_coco.json")
_ANNOTATIONS = "annotations"  # the folder of files of annotations, beside those of images
_INSTANCES = "instances_"


def annotation_file(root: Path) -> Path:
    """Return the file of annotations that a folder has, or the file that is given itself.

    Raises:
        DataError: There is none, or the folder has several of them.
    """
    if root.is_file():
        return root
    files = [root / name for name in _NAMES if (root / name).is_file()]
    files = files[:1] or sorted((root / _ANNOTATIONS).glob(f"{_INSTANCES}*.json"))
    if len(files) > 1:
        names = ", ".join(path.name for path in files)
        raise DataError(f"{root}: {names}: expected one file; name the one that is meant")
    if not files:
        path = root / ANNOTATIONS if root.is_dir() else root
        raise DataError(f"{path}: expected COCO instance annotations, got no such file")
    return files[0]


def file_name(row: Mapping[str, Any]) -> str:
    """Return what COCO calls the file, with slashes between folders.

    LVIS has only an address, ending in `train2017/000.jpg`.

    Returns:
        Nothing where it is no text.
    """
    name = row.get("file_name")
    if name is None:
        return str(row.get("coco_url", "")).rpartition("/")[2]
    return name.replace("\\", "/") if isinstance(name, str) else ""


def leads_out(name: str) -> bool:
    """Return whether a file's name leads out of the folder that it lies in."""
    is_absolute = PurePosixPath(name).is_absolute() or bool(PureWindowsPath(name).drive)
    return is_absolute or ".." in name.split("/")


def label_studios_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an image's row of Label Studio's own file, with the name that its file has there.

    Label Studio names an upload by its path on the server, `../data/media/upload/1/a.png`, and puts
    it into `images/a.png`.
    """
    name = file_name(row)
    return {**row, "file_name": PurePosixPath(name).name} if leads_out(name) else dict(row)


def image_path(file: Path, row: Mapping[str, Any]) -> Path:
    """Return where an image lies, or should lie: in `images/`.

    Args:
        file: Of annotations.
        row: The image's.
    """
    name = file_name(row)
    places = [folder / name for folder in _folders(file, row)]
    # Path.is_file raises where a name is too long, or a folder may not be looked into.
    return next((path for path in places if os.path.isfile(path)), places[0])


def _folders(file: Path, row: Mapping[str, Any]) -> Iterator[Path]:
    folder = file.parent
    is_apart = folder.name == _ANNOTATIONS
    *_, split, _ = ["", "", *str(row.get("coco_url", "")).split("/")]
    if row.get("file_name") is None and split not in ("", ".", ".."):
        roots = (folder, folder.parent) if is_apart else (folder,)
        places = (root / place for root in roots for place in (split, f"{IMAGES}/{split}"))
        yield from (place for place in places if place.is_dir())
    yield folder / IMAGES
    yield folder
    if is_apart:
        split = file.stem.removeprefix(_INSTANCES)
        yield from (folder.parent / place for place in (split, f"{IMAGES}/{split}", IMAGES, ""))
