"""Objects found on a folder's images, written as a COCO folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.exchange.coco_writing import write_annotations
from backend.exchange.placing import ImagePlacer
from backend.exchange.spool import Spool, TaskEntries
from backend.finding.each import Each
from backend.finding.folder_images import FolderFiles, images_of, state_digest
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
_PARTS = ("images", "annotations.json", "spool.sqlite3")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FolderImage:
    """An image to find objects on; it can be sent to another process.

    Attributes:
        number: Its place among the images, from 1; after a cut that which it had before.
        path: Where it is in the folder.
        digest: Tells the file from what it was before.
        entry: Its row in COCO; None where it cannot be used.
        content: The file, or why it cannot be used.
    """

    number: int
    path: Path
    digest: str
    entry: dict[str, Any] | None = None
    content: bytes | ImageError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundObjects:
    """What was found on an image.

    Attributes:
        annotations: Rows in COCO, each with its label; "" where the finder knows none.
        n_hidden: How many of them are behind others.
        problem: Why the image cannot be used; empty where it can.
    """

    annotations: tuple[tuple[str, dict[str, Any]], ...] = ()
    n_hidden: int = 0
    problem: str = ""


def find_on(object_finder: ObjectFinder, asked: FolderImage) -> FoundObjects:
    """Return the objects on an image of a folder."""
    try:
        if isinstance(asked.content, ImageError):
            raise asked.content
        layers = object_finder.layers(asked.content)
    except ImageError as error:
        return FoundObjects(problem=str(error))
    return FoundObjects(
        annotations=tuple(_annotation(layer, asked.number) for layer in layers),
        n_hidden=sum(layer.is_hidden for layer in layers),
    )


def annotate_folder(
    each: Each[FolderImage, FoundObjects],
    root: Path,
    out: Path,
    *,
    version: str,
    label: str,
    max_megapixels: float,
    report: Report,
) -> AnnotateSummary:
    """Write the objects on a folder's images as a COCO folder; one that was cut goes on.

    An annotation has COCO's fields, `score`, and `order`: after how many removals the object
    was seen whole, 0 for what is in front.

    Args:
        each: Finds objects, see `find_on`.
        root: Images, in folders within it as well.
        out: The COCO folder; an earlier one of this command is replaced.
        version: Of what finds objects.
        label: Category of objects whose finder knows no classes.
        max_megapixels: Larger images are problems.
        report: Called after every image.

    Raises:
        ConfigError: The folder has something else in it, or somebody else writes it.
        ImageError: There is no image.
    """
    check_out(out)
    summary = AnnotateSummary()
    paths = images_of(root, out)
    key = json.dumps([str(root.absolute()), version, label])
    with WholeFolder(out, mark=_MARK, parts=_PARTS).building() as folder:
        images = _FolderImages(root, folder / "images", max_megapixels=max_megapixels)
        with closing(Spool(folder / "spool.sqlite3", key=key)) as spool:
            for asked, found_objects in each(images.left(paths, spool, summary, report)):
                _count(summary, found_objects)
                spool.add(asked.number, _entries(asked, found_objects, label), digest=asked.digest)
                report()
            spool.forget_others()
            images.keep_only(spool.files())
            write_annotations(folder, spool, spool.labels(), about=version)
            summary.problems = spool.problems(-1)
        spool.remove()
        write_atomically(folder / _MARK, json.dumps(dataclasses.asdict(summary)).encode())
    return summary


def check_out(out: Path) -> None:
    """Refuse a folder that `annotate_folder` would not replace.

    Raises:
        ConfigError: It has something else in it.
    """
    WholeFolder(out, mark=_MARK, parts=_PARTS).check()


class _FolderImages:
    """A folder's images, which are copied into a COCO folder."""

    def __init__(self, root: Path, copies: Path, *, max_megapixels: float) -> None:
        copies.mkdir(exist_ok=True)
        self._root = root
        self._files = FolderFiles(root)
        self._placer = ImagePlacer(self._files, copies, mode="copy", max_megapixels=max_megapixels)

    def left(
        self, paths: Sequence[Path], spool: Spool, summary: AnnotateSummary, report: Report
    ) -> Iterator[FolderImage]:
        """Yield the images that are not done yet."""
        digests = [state_digest(self._root, path) for path in paths]
        for number, path, digest in zip(spool.numbers(digests), paths, digests, strict=True):
            if spool.keeps(number, digest):
                summary.skipped += 1
                report()
            else:
                yield self._placed(number, path, digest)

    def keep_only(self, names: Collection[str]) -> None:
        """Remove all other copies."""
        self._placer.keep_only(names)

    def _placed(self, number: int, path: Path, digest: str) -> FolderImage:
        try:
            placed = self._placer.place(path.as_posix(), task_id=number, prefix=f"{number}-")
            content = self._files.read(path.as_posix(), "")
        except ImageError as error:
            return FolderImage(number=number, path=path, digest=digest, content=error)
        entry = {"id": number, "file_name": placed.file_name}
        entry |= {"width": placed.width, "height": placed.height}
        return FolderImage(number=number, path=path, digest=digest, entry=entry, content=content)


def _count(summary: AnnotateSummary, found_objects: FoundObjects) -> None:
    if not found_objects.problem:
        summary.images += 1
        summary.objects += len(found_objects.annotations)
        summary.hidden += found_objects.n_hidden


def _entries(asked: FolderImage, found_objects: FoundObjects, label: str) -> TaskEntries:
    """What one image adds: itself and its objects, or a problem."""
    entries = TaskEntries()
    if found_objects.problem:
        entries.problems.append(f"{asked.path}: {found_objects.problem}")
        return entries
    assert asked.entry is not None, "what can be used is placed"
    entries.images.append(asked.entry)
    entries.annotations += [(named or label, row) for named, row in found_objects.annotations]
    return entries


def _annotation(layer: LayeredObject, image: int) -> tuple[str, dict[str, Any]]:
    mask = layer.whole.mask
    bounds = bounds_of(mask)
    assert bounds is not None, "found objects have pixels"
    return layer.whole.label or "", {
        "image_id": image,
        "segmentation": encode_mask(mask),
        "area": int(mask.sum()),
        "bbox": [bounds.left, bounds.top, bounds.width, bounds.height],
        "iscrowd": 0,
        "score": round(layer.whole.score, 4),
        "order": layer.order,
    }
