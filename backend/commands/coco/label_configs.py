"""The label configuration that the commands around COCO take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.parsing import of
from backend.environment.readers import file

if TYPE_CHECKING:
    from backend.label_studio.api import LabelStudioApi
    from backend.label_studio.label_config import LabelConfig


def add_label_config(parser: argparse.ArgumentParser) -> None:
    """Add `--label-config`."""
    parser.add_argument(
        "--label-config", type=of(file()), metavar="FILE.xml", help="default: the project's"
    )


def label_config_in(path: Path | None) -> LabelConfig | None:
    """Return the label configuration in a file, None for no file.

    Raises:
        DataError: The file cannot be read.
        LabelConfigError: It is no label configuration.
    """
    from backend.label_studio.label_config import parse_label_config
    from mfp_model.errors import DataError

    if path is None:
        return None
    try:
        return parse_label_config(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None


def label_config_of(options: argparse.Namespace, api: LabelStudioApi) -> LabelConfig:
    """Return the label configuration in the options' file, or else the project's."""
    from backend.label_studio.label_config import parse_label_config

    return label_config_in(options.label_config) or parse_label_config(
        api.label_config(options.project)
    )
