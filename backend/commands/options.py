"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from mfp_model.errors import ConfigError

_FORMATS = ("grabcut", "berkeley", "davis", "sbd", "bsds500", "coco")


def add_segmenter_options(parser: argparse.ArgumentParser) -> None:
    """Add what chooses a segmenter, its weights and its device."""
    parser.add_argument(
        "--segmenter",
        default="mfp",
        metavar="NAME",
        help="mfp, mfp-refined, unet, graph-cut or graph-cut-deep; default: mfp",
    )
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="default: the shipped weights"
    )
    parser.add_argument(
        "--constants", type=Path, metavar="FILE", help="of a graph cut, by mfp tune-graph-cut"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")


def add_labelled_data(parser: argparse.ArgumentParser) -> None:
    """Add what names a folder of labelled objects."""
    parser.add_argument("--format", choices=_FORMATS, required=True)
    parser.add_argument("--root", type=Path, required=True)
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
