"""`mfp annotate`: every object on many images, those behind others too."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.options import (
    PROBLEMS_CODE,
    add_finder_options,
    finder_of,
    inpainter_of,
    loop_config_of,
    show_problems,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backend.finding.project import AnnotateSummary, ObjectFinder
    from backend.settings import Settings
    from mfp_model.finding.layers import LayeredObject


def add_annotate(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add the command."""
    parser = commands.add_parser("annotate", help="find every object on many images")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--project", type=int, metavar="ID", help="of the settings' Label Studio: predictions"
    )
    source.add_argument("--folder", type=Path, metavar="DIR", help="of images, into --out")
    parser.add_argument("--out", type=Path, metavar="DIR", help="COCO folder")
    parser.add_argument(
        "--batch", type=int, default=8, metavar="N", help="tasks stored together; default: 8"
    )
    parser.add_argument("--label", default="Object", help="where the finder knows no classes")
    add_finder_options(parser)
    parser.set_defaults(run=_annotate)


def _annotate(options: argparse.Namespace) -> int:
    from backend.finding.finders import finding_version
    from backend.finding.project import ObjectFinder
    from backend.settings import Settings
    from mfp_model.errors import ConfigError
    from mfp_model.finding.layers import find_layers

    if (options.folder is None) != (options.out is None):
        raise ConfigError("--folder and --out: expected both, or --project")
    settings = Settings.from_env(options.environment)
    if options.project is not None and options.finder == "mfp":
        options.checkpoint = options.checkpoint or _serving(options.project, settings)
    finder, inpainter, config = finder_of(options), inpainter_of(options), loop_config_of(options)

    def find(image: NDArray[np.uint8]) -> list[LayeredObject]:
        return find_layers(image, finder, inpainter, config)

    object_finder = ObjectFinder(
        find=find,
        version=finding_version(finder.version, inpainter.version, config),
        max_megapixels=settings.max_megapixels,
    )
    run = _project if options.folder is None else _folder
    summary = run(options, settings, object_finder)
    told = dataclasses.asdict(summary)
    problems = told.pop("problems")
    show_problems(problems, len(problems))
    print(json.dumps({**told, "problems": len(problems)}))
    return PROBLEMS_CODE if problems else 0


def _serving(project: int, settings: Settings) -> Path | None:
    """The weights that a project's tasks are opened with; None for the shipped ones."""
    from backend.models.registry import ModelRegistry
    from backend.storage.data_folder import DataFolder

    registry = ModelRegistry(DataFolder(settings.data_dir).models)
    return registry.serving_checkpoint(str(project)) or settings.checkpoint


def _folder(
    options: argparse.Namespace, settings: Settings, object_finder: ObjectFinder
) -> AnnotateSummary:
    from tqdm import tqdm

    from backend.finding.folder import annotate_folder, images_of

    with tqdm(total=len(images_of(options.folder)), unit="image") as bar:

        def report() -> None:
            bar.update()

        return annotate_folder(
            object_finder, options.folder, options.out, label=options.label, report=report
        )


def _project(
    options: argparse.Namespace, settings: Settings, object_finder: ObjectFinder
) -> AnnotateSummary:
    from tqdm import tqdm

    from backend.finding.project import annotate_project
    from backend.images.sources import image_sources
    from backend.label_studio.api import label_studio_access, label_studio_api
    from backend.label_studio.label_config import parse_label_config

    api = label_studio_api(settings)
    with tqdm(total=api.n_tasks(options.project), unit="task") as bar:

        def report() -> None:
            bar.update()

        return annotate_project(
            object_finder,
            api,
            options.project,
            parse_label_config(api.label_config(options.project)),
            image_sources(settings, label_studio_access(settings)),
            polygon_error_px=settings.polygon_error_px,
            batch=max(1, options.batch),
            report=report,
        )
