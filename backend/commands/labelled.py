"""Labelled folders, which several commands measure on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

from backend.commands.parsing import add_choice, add_count, of
from backend.environment.readers import folder
from mfp_model.errors import DataError
from mfp_model.names import FORMATS

if TYPE_CHECKING:
    from mfp_model.evaluation.objects import EvaluationObject


def add_labelled_data(parser: argparse.ArgumentParser) -> None:
    """Add what names a folder of labelled objects."""
    add_choice(parser, "--format", FORMATS, required=True)
    parser.add_argument(
        "--root", type=of(folder()), required=True, metavar="DIR", help="the labelled folder"
    )
    add_limit(parser)


def add_limit(parser: argparse.ArgumentParser) -> None:
    """Add `--limit`."""
    add_count(parser, "--limit", "the first N objects only")


def check_labelled_data(options: argparse.Namespace) -> None:
    """Read the first object, before torch is loaded.

    Raises:
        DataError: The folder is not of that format, or has no object.
    """
    next(labelled_objects(options))


def labelled_objects(options: argparse.Namespace) -> Iterator[EvaluationObject]:
    """Return the objects of the labelled folder, at least one.

    Raises:
        DataError: The folder is not of that format, or has no object.
    """
    from mfp_model.evaluation.datasets import READERS

    objects = READERS[options.format](options.root, on_problem=options.problems.tell)
    first = next(objects, None)
    if first is None:
        raise DataError(f"--root {options.root}: has no object in format {options.format}")
    return islice(chain([first], objects), options.limit)
