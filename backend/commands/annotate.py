"""`mfp annotate`: every object on many images, those behind others too."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.alike import annotate_like, task_and_region
from backend.commands.annotating import (
    BATCH,
    LABEL,
    annotate_boxes,
    annotate_folder,
    annotate_project,
)
from backend.commands.boxes import show_summary
from backend.commands.cluster import add_ray, check_ray
from backend.commands.options import (
    add_finder_options,
    add_project,
    check_finder_options,
    inpainter_weights,
)
from backend.commands.parsing import Commands, add_count, add_json, of
from backend.commands.printing import facts, note_unused, show
from backend.environment.readers import folder
from mfp_model.errors import ConfigError

if TYPE_CHECKING:
    from backend.settings import Settings

_FINDING = ("finder", "inpainter", "inpainter_weights", "rounds", "removal", "combination")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("annotate", "find every object on many images", _annotate, goes_on=True)
    source = parser.add_mutually_exclusive_group(required=True)
    add_project(source, "of the settings' Label Studio: predictions")
    source.add_argument("--folder", type=of(folder()), metavar="DIR", help="of images, into --out")
    parser.add_argument(
        "--out", type=of(folder(may_be_new=True)), metavar="DIR", help="COCO folder"
    )
    parser.add_argument(
        "--from",
        dest="source",
        choices=("boxes",),
        metavar="boxes",
        help="instead of finding: make masks of a project's rectangles",
    )
    parser.add_argument(
        "--like",
        type=task_and_region,
        metavar="TASK:REGION",
        help="instead of finding: what looks like a region of a project",
    )
    add_count(parser, "--batch", f"tasks of a project that are stored together; default: {BATCH}")
    parser.add_argument(
        "--label", help=f"of a folder, where the finder knows no classes; default: {LABEL}"
    )
    add_finder_options(parser)
    add_ray(parser, "spread the images over a cluster; the results are the same")
    add_json(parser)


def _annotate(options: argparse.Namespace) -> None:
    _check(options)
    if options.source or options.like:
        note_unused(options, "it is for finding everything", *_FINDING)
    _check_place(options)
    if options.project is not None and _uses_mfp(options):
        options.checkpoint = options.checkpoint or _serving(options.project, options.settings)
    if options.source == "boxes":
        show_summary(options, annotate_boxes(options))
        return
    if options.like:
        summary = annotate_like(options)
    else:
        options.inpainter_weights = inpainter_weights(options)  # once, and not on each machine
        summary = (annotate_project if options.folder is None else annotate_folder)(options)
    report = dataclasses.asdict(summary)
    options.problems.tell(*summary.problems)
    report["problems"] = options.problems.n
    show(options, report, facts(report))


def _uses_mfp(options: argparse.Namespace) -> bool:
    return bool(options.source or options.like) or str(options.finder) == "mfp"


def _check_place(options: argparse.Namespace) -> None:
    """Refuse a project that cannot be reached, or a folder in use, before weights are loaded."""
    if options.folder is None:
        from backend.label_studio.api import label_studio_api

        label_studio_api(options.settings).n_tasks(options.project)
    else:
        from backend.finding.folder import check_out
        from backend.finding.folder_images import images_of

        check_out(options.out)
        images_of(options.folder, options.out, on_problem=options.problems.tell)


def _serving(project: int, settings: Settings) -> Path | None:
    """The weights that a project's tasks are opened with; None for the shipped ones."""
    from backend.models.registry import model_registry
    from backend.storage.shared_state import SharedState

    registry = model_registry(SharedState(*settings.places))
    return registry.serving_checkpoint(str(project)) or settings.checkpoint


def _check(options: argparse.Namespace) -> None:
    if options.like and (options.source or options.folder is not None):
        raise ConfigError("--like: is for --project, and not beside --from")
    if options.source and options.folder is not None:
        raise ConfigError("--from boxes: is for --project; mfp coco masks is for folders")
    if (options.folder is None) != (options.out is None):
        raise ConfigError("--folder and --out: expected both, or --project")
    if options.folder is not None:
        note_unused(options, "it is for --project", "batch")
    else:
        note_unused(options, "a project's label configuration has the labels", "label")
    check_finder_options(options)
    check_ray(options)
    if options.ray and not _uses_mfp(options):
        raise ConfigError(f"--ray: expected --finder mfp, got {options.finder}")
