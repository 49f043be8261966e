"""Options that several commands share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mfp_model.errors import ConfigError
from mfp_model.names import (
    COMBINATIONS,
    DEVICES,
    ENGINES,
    FINDERS,
    FORMATS,
    INPAINTERS,
    INPAINTERS_WITH_WEIGHTS,
    REMOVALS,
    SEGMENTERS,
    listed,
)

if TYPE_CHECKING:
    from mfp_model.finding.finders import Finder
    from mfp_model.finding.inpainters import Inpainter
    from mfp_model.finding.layers import LoopConfig

PROBLEMS_CODE = 2  # done, but not all of it
_SHOWN_PROBLEMS = 20


def add_segmenter_options(parser: argparse.ArgumentParser) -> None:
    """Add what chooses a segmenter, its weights and its device."""
    parser.add_argument(
        "--segmenter",
        default="mfp",
        metavar="NAME",
        help=f"{listed(SEGMENTERS)}; default: mfp",
    )
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="default: the shipped weights"
    )
    parser.add_argument(
        "--constants", type=Path, metavar="FILE", help="of a graph cut, by mfp tune-graph-cut"
    )
    parser.add_argument("--device", default="auto", help=listed(DEVICES))
    parser.add_argument(
        "--engine", default="auto", help=f"{listed(ENGINES)}; openvino on CPUs only"
    )


def add_finder_options(parser: argparse.ArgumentParser) -> None:
    """Add what finds objects without clicks, and what is behind them."""
    parser.add_argument("--finder", choices=FINDERS, default="mfp")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="of the finder; default: shipped or fetched"
    )
    parser.add_argument("--inpainter", choices=INPAINTERS, default="telea")
    parser.add_argument(
        "--inpainter-weights", type=Path, metavar="FILE", help="of lama and mat, TorchScript"
    )
    parser.add_argument(
        "--rounds", type=int, default=4, help="how often something is removed; 0: only find"
    )
    parser.add_argument("--removal", choices=REMOVALS, default="surest")
    parser.add_argument(
        "--combination",
        choices=COMBINATIONS,
        default="layers",
        help="objects with their order, or one mask of what was object in every round",
    )
    parser.add_argument("--device", default="auto", help=listed(DEVICES))


def finder_of(options: argparse.Namespace) -> Finder:
    """Return the finder that the options name."""
    from backend.models.downloads import fetch_weights
    from backend.settings import Settings
    from mfp_model.loading import load_finder

    checkpoint = options.checkpoint
    if options.finder == "deeplab" and checkpoint is None:
        folder = Settings.from_env(options.environment).cache_dir
        checkpoint = fetch_weights("deeplab-resnet101", folder)
    return load_finder(options.finder, checkpoint=checkpoint, device=options.device)


def inpainter_of(options: argparse.Namespace) -> Inpainter:
    """Return the inpainter that the options name."""
    from backend.models.downloads import fetch_weights
    from backend.settings import Settings
    from mfp_model.loading import load_inpainter

    weights = options.inpainter_weights
    if options.inpainter in INPAINTERS_WITH_WEIGHTS and weights is None:
        weights = fetch_weights(options.inpainter, Settings.from_env(options.environment).cache_dir)
    return load_inpainter(options.inpainter, weights=weights, device=options.device)


def loop_config_of(options: argparse.Namespace) -> LoopConfig:
    """Return how the loop goes."""
    from mfp_model.finding.layers import LoopConfig

    return LoopConfig(
        max_rounds=options.rounds, removal=options.removal, combination=options.combination
    )


def add_labelled_data(parser: argparse.ArgumentParser, *, is_required: bool = True) -> None:
    """Add what names a folder of labelled objects."""
    parser.add_argument("--format", choices=FORMATS, required=is_required)
    parser.add_argument("--root", type=Path, required=is_required)
    parser.add_argument("--limit", type=int, metavar="N", help="the first N objects only")


def parse_folders(texts: list[str]) -> tuple[tuple[Path, float], ...]:
    """Return data sets with their weights from `DIR` or `DIR:WEIGHT`.

    Raises:
        ConfigError: A weight that is not a number above 0.
    """
    folders = []
    for text in texts:
        root, colon, weight = text.rpartition(":")
        if not colon or Path(text).exists():
            folders.append((Path(text), 1.0))
            continue
        try:
            folders.append((Path(root), float(weight)))
        except ValueError:
            raise ConfigError(f"{text!r}: expected DIR or DIR:WEIGHT, got {weight!r}") from None
        if folders[-1][1] <= 0:
            raise ConfigError(f"{text!r}: expected a weight above 0")
    return tuple(folders)


def show_problems(messages: list[str], n_problems: int) -> None:
    """Print the first problems on standard error, and how many more there are."""
    for message in messages[:_SHOWN_PROBLEMS]:
        print(message, file=sys.stderr)
    if n_problems > _SHOWN_PROBLEMS:
        print(f"... and {n_problems - _SHOWN_PROBLEMS} more problems", file=sys.stderr)
