"""Objects found on many images: a Label Studio project's, or a folder's into COCO."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.coco.folder import WholeFolder
from backend.coco.images import ImagePlacer
from backend.coco.spool import Spool, TaskEntries
from backend.finding import prediction
from backend.image_decoding import decode_image
from backend.image_sources import ImageSources
from backend.label_config import LabelConfig
from backend.label_studio_api import LabelStudioApi
from mfp_model.errors import ImageError
from mfp_model.files import write_atomically
from mfp_model.rle import encode_mask

if TYPE_CHECKING:
    from backend.finding import FindLayers
    from mfp_model.inpainting.loop import LayeredObject

_PAGE = 50
_MARK = "annotate.json"
_SUFFIXES = (
    ".avif",
    ".bmp",
    ".gif",
    ".jp2",
    ".jpeg",
    ".jpg",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)

Report = Callable[[], None]


@dataclass(slots=True, kw_only=True)
class AnnotateSummary:
    """What was done.

    Attributes:
        images: Images that objects were looked for on.
        objects: Objects found.
        hidden: Those of them that are behind others.
        skipped: Images that were done before.
        problems: Images that could not be used, and why.
    """

    images: int = 0
    objects: int = 0
    hidden: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, layers: list[LayeredObject]) -> None:
        """Count an image."""
        self.images += 1
        self.objects += len(layers)
        self.hidden += sum(layer.is_hidden for layer in layers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotator:
    """Finds objects on images.

    Attributes:
        find: The finder.
        version: Its model version.
        max_megapixels: Larger images are problems.
    """

    find: FindLayers
    version: str
    max_megapixels: float

    def project(
        self,
        api: LabelStudioApi,
        project: int,
        config: LabelConfig,
        sources: ImageSources,
        *,
        polygon_error_px: float,
        report: Report,
    ) -> AnnotateSummary:
        """Store a prediction for each task that has none of this version.

        So what was cut goes on where it was.

        Args:
            api: The Label Studio.
            project: The project's id.
            config: Its label configuration; the objects go to the first image's mask control.
            sources: What reads images.
            polygon_error_px: How far a polygon may be from the mask's edge.
            report: Called after every task.

        Raises:
            LabelConfigError: The configuration has no place for a mask.
            LabelStudioError: Label Studio cannot be reached, or refuses.
        """
        summary = AnnotateSummary()
        image_name, key = next(iter(config.image_keys.items()), ("", ""))
        control = config.control_for(image_name)
        for task in _tasks(api, project):
            if any(one.get("model_version") == self.version for one in task["predictions"]):
                summary.skipped += 1
                report()
                continue
            try:
                content = sources.read(str(task["data"].get(key, "")), str(task["id"]))
                layers = self.find(decode_image(content, max_megapixels=self.max_megapixels))
            except ImageError as error:
                summary.problems.append(f"task {task['id']}: {error}")
            else:
                found = prediction(
                    layers, control, version=self.version, polygon_error_px=polygon_error_px
                )
                api.add_prediction(int(task["id"]), found)
                summary.add(layers)
            report()
        return summary

    def folder(self, root: Path, out: Path, *, label: str, report: Report) -> AnnotateSummary:
        """Write the objects on a folder's images as a COCO folder; one that was cut goes on.

        An annotation has COCO's fields, `score`, and `order`: after how many removals the object
        was seen whole, 0 for what is in front.

        Args:
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
        key = json.dumps([str(root.absolute()), self.version, label, [str(x) for x in paths]])
        with WholeFolder(out, mark=_MARK).building() as folder:
            (folder / "images").mkdir(exist_ok=True)
            spool = Spool(folder / "spool.sqlite3", key=key)
            files = _Files(root)
            placer = ImagePlacer(
                files, folder / "images", mode="copy", max_megapixels=self.max_megapixels
            )
            try:
                for number, path in enumerate(paths, start=1):
                    if spool.has(number):
                        summary.skipped += 1
                    else:
                        spool.add(
                            number, self._entries(files, placer, path, number, label, summary)
                        )
                    report()
                spool.write_coco(folder / "annotations.json", spool.labels(), about=self.version)
                summary.problems = spool.problems(-1)
            finally:
                spool.close()
            for path in folder.glob("spool.sqlite3*"):
                path.unlink()
            told = json.dumps(dataclasses.asdict(summary), indent=1)
            write_atomically(folder / _MARK, told.encode())
        return summary

    def _entries(
        self,
        files: _Files,
        placer: ImagePlacer,
        path: Path,
        number: int,
        label: str,
        summary: AnnotateSummary,
    ) -> TaskEntries:
        entries = TaskEntries()
        try:
            placed = placer.place(path.as_posix(), task_id=number, prefix=f"{number}-")
            content = files.read(path.as_posix(), "")
            layers = self.find(decode_image(content, max_megapixels=self.max_megapixels))
        except ImageError as error:
            entries.problems.append(f"{path}: {error}")
            return entries
        summary.add(layers)
        size = {"width": placed.width, "height": placed.height}
        entries.images.append({"id": number, "file_name": placed.file_name, **size})
        entries.annotations += [_annotation(layer, number, label) for layer in layers]
        return entries


def images_of(root: Path) -> list[Path]:
    """Return the image files of a folder and the folders in it, sorted, relative to it.

    Raises:
        ImageError: There is none.
    """
    found = sorted(
        path.relative_to(root)
        for path in root.rglob("*")
        if path.suffix.lower() in _SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise ImageError(f"{root}: no image in it")
    return found


def _tasks(api: LabelStudioApi, project: int) -> Iterator[dict[str, Any]]:
    last = -1
    while page := api.tasks_after(project, last, limit=_PAGE):
        last = int(page[-1]["id"])
        yield from page


def _annotation(layer: LayeredObject, image: int, label: str) -> tuple[str, dict[str, Any]]:
    mask = layer.found.mask
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return layer.found.label or label, {
        "image_id": image,
        "segmentation": encode_mask(mask),
        "area": int(mask.sum()),
        "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
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
