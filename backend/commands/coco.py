"""`mfp export-coco` and `mfp import-coco`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.options import PROBLEMS_CODE, show_problems

if TYPE_CHECKING:
    from backend.exchange.tasks import TaskSource
    from backend.label_studio.api import LabelStudioApi
    from backend.label_studio.label_config import LabelConfig
    from backend.settings import Settings


def add_export_coco(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add `mfp export-coco`."""
    parser = commands.add_parser("export-coco", help="a project's masks as exact COCO")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--project", type=int, metavar="ID", help="of the settings' Label Studio")
    source.add_argument(
        "--export", type=Path, metavar="FILE.json", help="a JSON or JSON_MIN export"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    _add_label_config(parser)
    parser.add_argument("--polygons", action="store_true", help="polygons instead of RLE")
    parser.add_argument(
        "--polygon-error",
        type=float,
        default=0.25,
        metavar="PX",
        help="off the edge; default: 0.25",
    )
    parser.add_argument("--images", choices=("copy", "link", "none"), default="copy")
    parser.add_argument("--only-submitted", action="store_true", help="no drafts")
    parser.add_argument(
        "--annotators",
        choices=("newest", "all"),
        default="newest",
        help="of a task's annotations the ground truth or else the newest (default), or all",
    )
    parser.add_argument("--cancelled", action="store_true", help="annotations of skipped tasks too")
    parser.add_argument(
        "--predictions", action="store_true", help="for tasks without annotation, the newest one"
    )
    parser.add_argument("--strict", action="store_true", help="stop at the first problem")
    parser.set_defaults(run=_export)


def add_import_coco(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add `mfp import-coco`."""
    parser = commands.add_parser("import-coco", help="masks from COCO as tasks to correct")
    parser.add_argument("--coco", type=Path, required=True, metavar="DIR")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--project", type=int, metavar="ID", help="of the settings' Label Studio")
    target.add_argument("--out", type=Path, metavar="FILE.json", help="tasks to import by hand")
    _add_label_config(parser)
    address = parser.add_mutually_exclusive_group()
    address.add_argument(
        "--image-prefix", metavar="ADDRESS", help="where the images lie; default: upload them"
    )
    address.add_argument(
        "--original", action="store_true", help="the addresses that the export found them at"
    )
    parser.add_argument("--as", choices=("predictions", "annotations"), default="predictions")
    parser.add_argument("--strict", action="store_true", help="stop at the first problem")
    parser.set_defaults(run=_import)


def _add_label_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--label-config", type=Path, metavar="FILE.xml", help="default: the project's"
    )


def _export(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from backend.exchange.choice import ChoiceRules
    from backend.exchange.entries import ExportOptions
    from backend.exchange.export import export_coco
    from backend.exchange.tasks import file_tasks
    from backend.images.sources import image_sources
    from backend.label_studio.api import label_studio_access
    from backend.settings import Settings

    settings = Settings.from_env(options.environment)
    if options.export:
        source, config = file_tasks(options.export), _label_config(options.label_config)
    else:
        source, config = _project(settings, options)
    rules = ChoiceRules(
        annotators=options.annotators,
        only_submitted=options.only_submitted,
        with_cancelled=options.cancelled,
        with_predictions=options.predictions,
    )
    chosen = ExportOptions(
        rules=rules,
        images=options.images,
        polygon_error_px=options.polygon_error if options.polygons else None,
        strict=options.strict,
        max_megapixels=settings.max_megapixels,
    )
    with tqdm(total=source.total, unit=source.unit, unit_scale=source.unit == "B") as bar:

        def report(n_read: int) -> None:
            bar.update(n_read - bar.n)

        summary = export_coco(
            source,
            options.out,
            config=config,
            sources=image_sources(settings, label_studio_access(settings)),
            options=chosen,
            report=report,
        )
    told = dataclasses.asdict(summary)
    show_problems(told.pop("messages"), summary.problems)
    print(json.dumps(told))
    return PROBLEMS_CODE if summary.problems else 0


def _import(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from backend.exchange.brushes import read_folder
    from backend.exchange.importing import CocoImport, ImageAddress, original, prefixed
    from backend.label_studio.api import label_studio_api
    from backend.settings import Settings
    from mfp_model.errors import ConfigError

    folder = read_folder(options.coco)
    address: ImageAddress | None = original if options.original else None
    if options.image_prefix is not None:
        address = prefixed(options.image_prefix)
    form = getattr(options, "as")
    with tqdm(total=len(folder.images), unit="image") as bar:

        def report() -> None:
            bar.update()

        if options.out:
            config = _label_config(options.label_config)
            if config is None or address is None:
                raise ConfigError(
                    "--out: expected --label-config, and --image-prefix or --original"
                )
            importer = CocoImport(folder, config, form=form, strict=options.strict)
            summary = importer.into_file(options.out, address, report=report)
        else:
            api = label_studio_api(Settings.from_env(options.environment))
            config = _label_config(options.label_config) or _config_of(api, options.project)
            importer = CocoImport(folder, config, form=form, strict=options.strict)
            summary = importer.into_project(api, options.project, address, report=report)
    told = dataclasses.asdict(summary)
    problems = told.pop("problems")
    show_problems(problems, len(problems))
    print(json.dumps({**told, "problems": len(problems)}))
    return PROBLEMS_CODE if problems else 0


def _project(settings: Settings, options: argparse.Namespace) -> tuple[TaskSource, LabelConfig]:
    from backend.exchange.tasks import project_tasks
    from backend.label_studio.api import label_studio_api

    api = label_studio_api(settings)
    config = _label_config(options.label_config) or _config_of(api, options.project)
    return project_tasks(api, options.project), config


def _config_of(api: LabelStudioApi, project: int) -> LabelConfig:
    from backend.label_studio.label_config import parse_label_config

    return parse_label_config(api.label_config(project))


def _label_config(path: Path | None) -> LabelConfig | None:
    from backend.label_studio.label_config import parse_label_config
    from mfp_model.errors import DataError

    if path is None:
        return None
    try:
        return parse_label_config(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
