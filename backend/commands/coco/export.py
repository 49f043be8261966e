"""`mfp coco export`: a project's masks as exact COCO, or as other tools read them."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from backend.commands.coco.label_configs import add_label_config, label_config_of
from backend.commands.options import add_project
from backend.commands.parsing import Commands, add_choice, add_json, of
from backend.commands.printing import facts, note_replaced, note_unused, show
from backend.environment.readers import file, folder, number
from mfp_model.names import EXPORT_FORMS

if TYPE_CHECKING:
    from backend.exchange.entries import ExportOptions
    from backend.exchange.tasks import TaskSource
    from backend.label_studio.label_config import TaskConfigs


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "export",
        "write a project's masks as exact COCO, YOLO segments or pictures",
        _export,
        goes_on=True,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    add_project(source, "of the settings' Label Studio")
    source.add_argument(
        "--export", type=of(file()), metavar="FILE.json", help="a JSON or JSON_MIN export"
    )
    parser.add_argument(
        "--out", type=of(folder(may_be_new=True)), required=True, metavar="DIR", help="the folder"
    )
    words = "{} (pictures of classes and instances)"
    add_choice(parser, "--format", EXPORT_FORMS, words, default="coco")
    parser.add_argument(
        "--val-share",
        type=of(number(low=0, high=0.9)),
        default=0.2,
        metavar="SHARE",
        help="of the tasks, held out with yolo-seg",
    )
    add_label_config(parser)
    parser.add_argument("--polygons", action="store_true", help="polygons instead of RLE")
    parser.add_argument(
        "--polygon-error",
        type=of(number(low=0)),
        default=0.25,
        metavar="PX",
        help="off the edge, with --polygons or yolo-seg",
    )
    add_choice(parser, "--images", ("copy", "link", "none"), default="copy")
    _add_choice(parser)
    parser.add_argument("--strict", action="store_true", help="stop at the first problem")
    add_json(parser)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """Which of the masks are written."""
    parser.add_argument("--only-submitted", action="store_true", help="no drafts")
    words = "of a task's annotations {}; the ground truth comes before the newest"
    add_choice(parser, "--annotators", ("newest", "all"), words, default="newest")
    parser.add_argument("--cancelled", action="store_true", help="annotations of skipped tasks too")
    parser.add_argument(
        "--predictions", action="store_true", help="for tasks without annotation, the newest one"
    )


def _export(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from backend.exchange.export import check_out, export_coco
    from backend.images.sources import image_sources

    _name_what_has_no_effect(options)
    settings = options.settings
    source, config = _source(options)
    check_out(options.out)
    note_replaced(options.out)
    with tqdm(total=source.total, unit=source.unit, unit_scale=source.unit == "B") as bar:

        def report(n_read: int) -> None:
            bar.update(n_read - bar.n)

        def report_written(n_done: int, n_all: int) -> None:
            if not n_done:  # the same line goes on with what was read
                bar.unit, bar.unit_scale, bar.desc = "image", False, "writing: "
                bar.miniters = 0  # else shown after as many images as bytes were read at a time
                bar.reset(n_all)
            bar.update(n_done - bar.n)

        summary = export_coco(
            source,
            options.out,
            config=config,
            sources=image_sources(settings),
            options=_export_options(options),
            report=report,
            report_written=report_written,
        )
    figures = dataclasses.asdict(summary)
    messages = figures.pop("messages")
    options.problems.tell(*messages, n_others=summary.problems - len(messages))
    remarks = figures.pop("remarks")
    show(options, {**figures, "remarks": remarks}, facts(figures | remarks))


def _name_what_has_no_effect(options: argparse.Namespace) -> None:
    if not options.polygons and options.format != "yolo-seg":
        note_unused(options, "there is no --polygons", "polygon_error")
    if options.format != "coco":
        note_unused(options, f"it is for coco, not for {options.format}", "polygons")
    if options.format != "yolo-seg":
        note_unused(options, f"it is for yolo-seg, not for {options.format}", "val_share")


def _source(options: argparse.Namespace) -> tuple[TaskSource, TaskConfigs | None]:
    from backend.exchange.tasks import file_tasks, project_tasks
    from backend.label_studio.api import label_studio_api

    if options.export:
        return file_tasks(options.export), label_config_of(options, None)
    api = label_studio_api(options.settings)
    config = label_config_of(options, api)
    api.n_tasks(options.project)  # a Label Studio that is away from the beginning is told at once
    return project_tasks(api.patient(), options.project), config


def _export_options(options: argparse.Namespace) -> ExportOptions:
    from backend.exchange.annotation_choice import ChoiceRules
    from backend.exchange.entries import ExportOptions

    return ExportOptions(
        rules=ChoiceRules(
            annotators=options.annotators,
            only_submitted=options.only_submitted,
            with_cancelled=options.cancelled,
            with_predictions=options.predictions,
        ),
        form=options.format,
        images=options.images,
        polygon_error_px=options.polygon_error
        if options.polygons and options.format == "coco"
        else None,
        outline_error_px=options.polygon_error,
        val_share=options.val_share,
        strict=options.strict,
        max_megapixels=options.settings.max_megapixels,
    )
