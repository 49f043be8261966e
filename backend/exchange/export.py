"""Label Studio's annotations as a folder: exact COCO, YOLO's segments, or pictures of masks.

One region is one annotation. The folder appears whole or not at all; a damaged item is named and
counted, and the rest is exported.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from backend.exchange.coco_writing import write_annotations
from backend.exchange.entries import ExportOptions, TaskReader
from backend.exchange.mask_pictures import write_pictures
from backend.exchange.placing import ImagePlacer
from backend.exchange.spool import ReportWritten, Spool, TaskEntries
from backend.exchange.tasks import LabeledTask, TaskSource
from backend.exchange.yolo import gather_images, write_yolo
from backend.images.sources import ImageFiles
from backend.label_studio.label_config import TaskConfigs
from backend.storage.whole_folder import WholeFolder
from mfp_model.errors import DataError
from mfp_model.files import write_atomically

_TOLD_PROBLEMS = 1000
_PARTS = (  # of a folder, in whatever form
    *("images", "annotations.json", "spool.sqlite3"),
    *("labels", "data.yaml"),
    *("classes", "instances", "labels.txt"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSummary:
    """What an export did; `export.json` in its folder has the same.

    Attributes:
        tasks: Tasks read.
        images: Images exported: those of tasks that have an annotation, empty or not.
        annotations: Objects exported.
        problems: Items that could not be exported.
        messages: Up to 1000 of these, each with its task, annotation and region.
        left_out: What was left out by rule, counted by kind.
        polygon_iou: The least and the mean IoU of polygons with their masks.
        categories: Label names; their ids are 1, 2, ..., and YOLO's one less.
        form: The form.
        remarks: What should be known of the files, see `write_yolo` and `write_pictures`.
    """

    tasks: int
    images: int
    annotations: int
    problems: int
    messages: list[str]
    left_out: dict[str, int]
    polygon_iou: dict[str, float] | None
    categories: tuple[str, ...]
    form: str = "coco"
    remarks: dict[str, float] = field(default_factory=dict)


def export_coco(
    source: TaskSource,
    out: Path,
    *,
    config: TaskConfigs | None,
    sources: ImageFiles,
    options: ExportOptions | None = None,
    report: Callable[[int], None] = lambda n_read: None,
    report_written: ReportWritten = lambda n_done, n_all: None,
) -> ExportSummary:
    """Export labelled tasks to a folder, of COCO where no other form is asked for.

    An export that was cut reads all tasks again, and does anew only those that have changed.

    Args:
        source: The tasks.
        out: The folder; one from an earlier export is replaced.
        config: The project's label configuration, whose order numbers the categories; without it
            the labels that occur are numbered in alphabetical order, and none is unknown.
        sources: What reads images.
        options: How.
        report: Told how much of `source.total` is done.
        report_written: Told, for other forms than COCO, of how many images what was read is
            written, and of how many in all: that may take as long as reading.

    Raises:
        DataError: No task can be read. With `strict`, the first problem.
        ConfigError: The folder has something else in it, or another export writes it.
        LabelStudioError: Label Studio cannot be reached, or does not accept the token.
    """
    options = options or ExportOptions()
    key = json.dumps([source.name, asdict(options), asdict(config.common) if config else None])
    with _whole(out).building() as folder:
        (folder / "images").mkdir(exist_ok=True)
        gather_images(folder)
        _remove_written(folder)
        spool = Spool(folder / "spool.sqlite3", key=key)
        placer = ImagePlacer(
            sources,
            folder / "images",
            mode=options.images,
            max_megapixels=options.max_megapixels,
        )
        try:
            tasks = source.read(report)
            _fill(spool, tasks, TaskReader(config, options, placer), is_strict=options.strict)
            spool.forget_others()
            placer.keep_only(spool.files())
            categories = _categories(config, spool.labels())
            remarks = _written(
                folder, spool, categories, options, report_written, about=source.name
            )
            summary = _summary(spool, categories, options.form, remarks)
        finally:
            spool.close()
        spool.remove()
        write_atomically(folder / "export.json", json.dumps(asdict(summary), indent=1).encode())
    return summary


def check_out(out: Path) -> None:
    """Refuse a folder that `export_coco` would not replace.

    Raises:
        ConfigError: It has something else in it, or cannot be written.
    """
    _whole(out).check()


def _whole(out: Path) -> WholeFolder:
    return WholeFolder(out, mark="export.json", parts=_PARTS)


def _remove_written(folder: Path) -> None:
    """Remove what an export that was cut had begun to write of what it collected."""
    for path in folder.iterdir():
        if path.name.startswith("spool.sqlite3") or path.name == "images":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _fill(
    spool: Spool,
    tasks: Iterator[LabeledTask | DataError],
    reader: TaskReader,
    *,
    is_strict: bool,
) -> None:
    seen, unread = set(), ""
    for task in tasks:
        number = None if isinstance(task, DataError) else task.id
        if isinstance(task, DataError):
            entries, digest = TaskEntries(problems=[str(task)]), ""
            unread = unread or str(task)
        elif task.id in seen:
            entries = TaskEntries(problems=[f"task {task.id}: stands there twice"])
            number, digest = None, ""
        else:
            seen.add(task.id)
            digest = _digest(task)
            if spool.keeps(task.id, digest):  # from before the cut
                continue
            entries = reader.entries(task)
        if is_strict and entries.problems:
            raise DataError(entries.problems[0])
        try:
            spool.add(number, entries, digest=digest)
        except DataError as error:
            problem = f"task {number}: {error}"
            if is_strict:
                raise DataError(problem) from None
            spool.add(number, TaskEntries(problems=[problem]), digest=digest)
    if unread and not seen:  # an empty data set would take an earlier one's place
        raise DataError(f"{unread}; no task can be read, so nothing is written")


def _digest(task: LabeledTask) -> str:
    """Tells a task's state from others; `asdict` would copy each number of each RLE."""
    content = {each.name: getattr(task, each.name) for each in fields(task)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _categories(config: TaskConfigs | None, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The configuration's labels, and behind them those that only tasks have."""
    listed = config.common.labels if config else ()
    return (*listed, *(label for label in labels if label not in listed))


def _written(
    folder: Path,
    spool: Spool,
    labels: tuple[str, ...],
    options: ExportOptions,
    report: ReportWritten,
    *,
    about: str,
) -> dict[str, float]:
    """Write what was collected in the form of the options; what should be known of the files."""
    if options.form == "yolo-seg":
        error_px, val_share = options.outline_error_px, options.val_share
        return write_yolo(folder, spool, labels, report, max_error_px=error_px, val_share=val_share)
    if options.form == "png":
        return write_pictures(folder, spool, labels, report)
    write_annotations(folder, spool, labels, about=about)
    return {}


def _summary(
    spool: Spool, categories: tuple[str, ...], form: str, remarks: dict[str, float]
) -> ExportSummary:
    return ExportSummary(
        **spool.counts(),
        messages=spool.problems(_TOLD_PROBLEMS),
        left_out=spool.left_out(),
        polygon_iou=spool.polygon_iou(),
        categories=categories,
        form=form,
        remarks=remarks,
    )
