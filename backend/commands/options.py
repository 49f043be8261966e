"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from mfp_model.errors import ConfigError


def add_segmenter_options(parser: argparse.ArgumentParser) -> None:
    """Add what chooses a segmenter, its weights and its device."""
    parser.add_argument("--segmenter", default="mfp")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="default: the shipped weights"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")


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
