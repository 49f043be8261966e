"""`mfp coco import`: masks from COCO as tasks to correct."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.coco.label_configs import add_label_config, label_config_of
from backend.commands.options import add_project
from backend.commands.parsing import Commands, add_json, of
from backend.commands.printing import facts, note_replaced, show
from backend.environment.readers import new_file
from mfp_model.errors import ConfigError

if TYPE_CHECKING:
    from backend.exchange.image_addresses import ImageAddress


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("import", "make tasks to correct of masks from COCO", _import)
    parser.add_argument(
        "--coco",
        type=Path,
        required=True,
        metavar="DIR",
        help="COCO folder, or its annotations.json",
    )
    target = parser.add_mutually_exclusive_group(required=True)
    add_project(target, "of the settings' Label Studio")
    target.add_argument(
        "--out", type=of(new_file()), metavar="FILE.json", help="tasks to import by hand"
    )
    add_label_config(parser)
    address = parser.add_mutually_exclusive_group()
    address.add_argument(
        "--image-prefix",
        metavar="ADDRESS",
        help="where the folder's image files lie; default: upload them",
    )
    address.add_argument(
        "--original", action="store_true", help="the addresses that the export found them at"
    )
    parser.add_argument(
        "--as",
        dest="form",
        choices=("predictions", "annotations"),
        default="predictions",
        metavar="NAME",
        help="predictions or annotations",
    )
    parser.add_argument("--strict", action="store_true", help="stop at the first problem")
    add_json(parser)


def _import(options: argparse.Namespace) -> None:
    from backend.exchange.image_addresses import original, prefixed

    address: ImageAddress | None = original if options.original else None
    if options.image_prefix is not None:
        address = prefixed(options.image_prefix)
    if options.out and (options.label_config is None or address is None):
        raise ConfigError("--out: expected --label-config, and --image-prefix or --original")
    from tqdm import tqdm

    from backend.exchange.importing import CocoImport
    from backend.label_studio.api import label_studio_api
    from mfp_model.data.coco import read_coco, refuse

    api = None if options.out else label_studio_api(options.settings)
    options.goes_on = api is not None
    config = label_config_of(options, api)
    assert config is not None, "of the project, or looked at above"
    tell = refuse if options.strict else options.problems.tell
    folder = read_coco(options.coco, on_problem=tell)
    importer = CocoImport(folder, config, form=options.form, strict=options.strict)
    if options.out:
        note_replaced(options.out)
    with tqdm(total=len(folder.images), unit="image") as bar:
        if api is not None:
            summary = importer.into_project(
                api.patient(), options.project, address, report=bar.update
            )
        else:
            assert address is not None, "looked at above"
            summary = importer.into_file(options.out, address, report=bar.update)
    options.problems.tell(*summary.problems)
    figures = {**dataclasses.asdict(summary), "problems": options.problems.n}
    show(options, figures, facts(figures))
