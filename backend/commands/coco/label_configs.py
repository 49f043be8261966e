"""The label configuration that the commands around COCO take."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from backend.commands.parsing import of
from backend.environment.readers import file

if TYPE_CHECKING:
    from backend.label_studio.api import LabelStudioApi
    from backend.label_studio.label_config import TaskConfigs


def add_label_config(parser: argparse.ArgumentParser) -> None:
    """Add `--label-config`."""
    parser.add_argument(
        "--label-config", type=of(file()), metavar="FILE.xml", help="default: the project's"
    )


def label_config_of(options: argparse.Namespace, api: LabelStudioApi | None) -> TaskConfigs | None:
    """Return the label configuration in the options' file, or else the project's.

    Args:
        options: Of the command.
        api: The project's Label Studio; None for no project, which may lead to None.

    Raises:
        DataError: The file cannot be read.
        LabelConfigError: It is no label configuration.
    """
    from backend.label_studio.label_config import TaskConfigs
    from mfp_model.errors import DataError

    path = options.label_config
    if path is None:
        return TaskConfigs(api.label_config(options.project)) if api else None
    try:
        return TaskConfigs(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
