"""Objects found on a folder's images, written as a COCO folder."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.exchange.coco import write_annotations
from backend.exchange.placing import ImagePlacer
from backend.exchange.spool import Spool, TaskEntries
from backend.finding.project import AnnotateSummary, ObjectFinder
from backend.finding.storing import Report
from backend.storage.whole_folder import WholeFolder
from mfp_model.errors import ImageError
from mfp_model.files import write_atomically
from mfp_model.masks.bounds import bounds_of
from mfp_model.masks.rle import encode_mask

if TYPE_CHECKING:
    from mfp_model.finding.layers import LayeredObject

_MARK = "annotate.json"
_SUFFIXES = tuple(".avif .bmp .gif .jp2 .jpeg .jpg .png .ppm .tif .tiff .webp".split())


def annotate_folder(
    object_finder: ObjectFinder, root: Path, out: Path, *, label: str, report: Report
) -> AnnotateSummary:
    """Write the objects on a folder's images as a COCO folder; one that was cut goes on.

    An annotation has COCO's fields, `score`, and `order`: after how many removals the object
    was seen whole, 0 for what is in front.

    Args:
        object_finder: What finds objects.
        root: Images, in folders within it as well.
        out: The COCO folder; an earlier one of this command is replaced.
        label: Category of objects whose finder knows no classes.
        report: Called after every image.

    Raises:
        ConfigError: The folder has something else in it, or somebody else writes it.
        ImageError: There is no image.
    """
    summary = AnnotateSummary()
    paths = images_of(root)
    key = json.dumps([str(root.absolute()), object_finder.version, label, [str(x) for x in paths]])
    with WholeFolder(out, mark=_MARK).building() as folder:
        (folder / "images").mkdir(exist_ok=True)
        spool = Spool(folder / "spool.sqlite3", key=key)
        try:
            for number, path in enumerate(paths, start=1):
                if spool.keeps(number, digest := _state(root / path)):
                    summary.skipped += 1
                else:
                    entries = _entries(object_finder, root, path, folder, number, label, summary)
                    spool.add(number, entries, digest=digest)
                report()
            spool.forget_others()
            write_annotations(folder, spool, spool.labels(), about=object_finder.version)
            summary.problems = spool.problems(-1)
        finally:
            spool.close()
        for path in folder.glob("spool.sqlite3*"):
            path.unlink()
        write_atomically(folder / _MARK, json.dumps(dataclasses.asdict(summary)).encode())
    return summary


def check_out(out: Path) -> None:
    """Refuse a folder that `annotate_folder` would not replace.

    Raises:
        ConfigError: It has something else in it.
    """
    WholeFolder(out, mark=_MARK).check()


def _state(path: Path) -> str:
    """Tells a file from what it was before."""
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"


def images_of(root: Path) -> list[Path]:
    """Return the image files of a folder and the folders in it, sorted, relative to it.

    Raises:
        ImageError: There is none.
    """
    paths = sorted(
        path.relative_to(root)
        for path in root.rglob("*")
        if path.suffix.lower() in _SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    if not paths:
        raise ImageError(f"{root}: no image in it")
    return paths


def _entries(
    object_finder: ObjectFinder,
    root: Path,
    path: Path,
    folder: Path,
    number: int,
    label: str,
    summary: AnnotateSummary,
) -> TaskEntries:
    """What one image adds: itself and its objects, or a problem."""
    entries, files = TaskEntries(), _Files(root)
    placer = ImagePlacer(
        files, folder / "images", mode="copy", max_megapixels=object_finder.max_megapixels
    )
    try:
        placed = placer.place(path.as_posix(), task_id=number, prefix=f"{number}-")
        layers = object_finder.layers(files.read(path.as_posix(), ""))
    except ImageError as error:
        entries.problems.append(f"{path}: {error}")
        return entries
    summary.add(layers)
    size = {"width": placed.width, "height": placed.height}
    entries.images.append({"id": number, "file_name": placed.file_name, **size})
    entries.annotations += [_annotation(layer, number, label) for layer in layers]
    return entries


def _annotation(layer: LayeredObject, image: int, label: str) -> tuple[str, dict[str, Any]]:
    mask = layer.found.mask
    bounds = bounds_of(mask)
    assert bounds is not None, "found objects have pixels"
    return layer.found.label or label, {
        "image_id": image,
        "segmentation": encode_mask(mask),
        "area": int(mask.sum()),
        "bbox": [bounds.left, bounds.top, bounds.width, bounds.height],
        "iscrowd": 0,
        "score": round(layer.found.score, 4),
        "order": layer.order,
    }


@dataclass(frozen=True, slots=True)
class _Files:
    """Images by their path in a folder."""

    root: Path

    def read(self, address: str, task_id: str) -> bytes:
        try:
            return (self.root / address).read_bytes()
        except OSError as error:
            raise ImageError(f"{address}: {error.strerror}") from None

    def mounted(self, address: str) -> Path | None:
        return (self.root / address).absolute()
