"""Options that several commands share."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.parsing import add_choice, add_count, of
from backend.commands.printing import note_unused
from backend.environment.readers import count, device, file
from mfp_model.errors import ConfigError
from mfp_model.names import (
    COMBINATIONS,
    DEVICES,
    ENGINES,
    FINDERS,
    INPAINTERS,
    INPAINTERS_WITH_WEIGHTS,
    REMOVALS,
    SEGMENTERS,
    listed,
)

if TYPE_CHECKING:
    from mfp_model.finding.finders import Finder
    from mfp_model.finding.inpainters import Inpainter
    from mfp_model.finding.layers import LayersConfig
    from mfp_model.segmenter import Segmenter


def add_device(
    parser: argparse.ArgumentParser, default: str | None = "auto", words: str = ""
) -> None:
    """Add `--device`; words say what it is where there is no default."""
    parser.add_argument(
        "--device",
        type=of(device()),
        default=default,
        metavar="NAME",
        help=f"{listed(DEVICES)}{words}",
    )


def add_checkpoint(parser: argparse.ArgumentParser, what: str = "default: the shipped one") -> None:
    """Add `--checkpoint`."""
    parser.add_argument("--checkpoint", type=of(file()), metavar="FILE", help=what)


def add_segmenter_options(parser: argparse.ArgumentParser) -> None:
    """Add what chooses a segmenter, its weights and its device."""
    add_choice(parser, "--segmenter", SEGMENTERS, default="mfp")
    add_checkpoint(parser)
    parser.add_argument(
        "--constants", type=of(file()), metavar="FILE", help="of a graph cut, by mfp tune-graph-cut"
    )
    add_device(parser)
    words = "{}; openvino on CPUs only, -f32 in float32 everywhere"
    add_choice(parser, "--engine", ENGINES, words, default="auto")


def check_segmenter_options(options: argparse.Namespace) -> None:
    """Refuse what the segmenter has no use for, before torch is loaded.

    Raises:
        ConfigError: Constants or a checkpoint that it does not take, or one that is missing.
        CheckpointError: The checkpoint is damaged.
    """
    from mfp_model.weights.checking import check_weights

    name = options.segmenter
    if options.constants and not name.startswith("graph-cut"):
        raise ConfigError(f"--constants {options.constants}: segmenter {name} has no use for it")
    if options.checkpoint and name == "graph-cut":
        raise ConfigError(f"--checkpoint {options.checkpoint}: segmenter {name} has no use for it")
    if options.checkpoint:
        check_weights(options.checkpoint)
    elif name == "unet":
        raise ConfigError(
            "--segmenter unet: expected --checkpoint, as mfp train --preset unet makes"
        )
    if name.startswith("graph-cut"):
        note_unused(options, f"segmenter {name} computes without one", "engine")


def segmenter_of(options: argparse.Namespace) -> Segmenter:
    """Return the segmenter that the options name; loads torch."""
    from mfp_model.loading import load_segmenter

    return load_segmenter(
        options.segmenter,
        checkpoint=options.checkpoint,
        constants=options.constants,
        device=options.device,
        engine=options.engine,
    )


def add_finder_options(parser: argparse.ArgumentParser) -> None:
    """Add what finds objects without clicks, and what is behind them."""
    add_choice(parser, "--finder", FINDERS, default="mfp")
    add_checkpoint(parser, "of the finder; default: the shipped or fetched one")
    add_choice(parser, "--inpainter", INPAINTERS, default="telea")
    parser.add_argument(
        "--inpainter-weights",
        type=of(file()),
        metavar="FILE",
        help=f"of {listed(INPAINTERS_WITH_WEIGHTS)}, TorchScript",
    )
    add_count(parser, "--rounds", "how often something is removed; 0: only find", low=0, default=4)
    add_choice(parser, "--removal", REMOVALS, "what a round removes: {}", default="surest")
    words = "{}: objects with their order, or one mask of what was object in every round"
    add_choice(parser, "--combination", COMBINATIONS, words, default="layers")
    add_device(parser)


def check_finder_options(options: argparse.Namespace) -> None:
    """Refuse or name what has no effect, before torch is loaded.

    Raises:
        ConfigError: Weights for an inpainter that has none.
    """
    if options.inpainter_weights and options.inpainter not in INPAINTERS_WITH_WEIGHTS:
        raise ConfigError(
            f"--inpainter-weights {options.inpainter_weights}: "
            f"inpainter {options.inpainter} has no use for them"
        )
    if options.rounds == 0:
        note_unused(options, "with --rounds 0 nothing is removed", "inpainter")


def finder_of(options: argparse.Namespace) -> Finder:
    """Return the finder that the options name; loads torch."""
    from backend.models.downloads import fetch_weights
    from mfp_model.loading import load_finder

    checkpoint = options.checkpoint
    if options.finder == "deeplab" and checkpoint is None:
        checkpoint = fetch_weights("deeplab-resnet101", options.settings.cache_dir)
    return load_finder(options.finder, checkpoint=checkpoint, device=options.device)


def inpainter_weights(options: argparse.Namespace) -> Path | None:
    """Return the inpainter's weights, fetched where none are named; None where it has none."""
    from backend.models.downloads import fetch_weights

    weights: Path | None = options.inpainter_weights
    if options.inpainter in INPAINTERS_WITH_WEIGHTS and weights is None:
        weights = fetch_weights(options.inpainter, options.settings.cache_dir)
    return weights


def inpainter_of(options: argparse.Namespace) -> Inpainter:
    """Return the inpainter that the options name; loads torch."""
    from mfp_model.loading import load_inpainter

    return load_inpainter(
        options.inpainter, weights=inpainter_weights(options), device=options.device
    )


def layers_config_of(options: argparse.Namespace) -> LayersConfig:
    """Return how objects behind others are looked for."""
    from mfp_model.finding.layers import LayersConfig

    return LayersConfig(
        max_rounds=options.rounds, removal=options.removal, combination=options.combination
    )


def add_project(parser: argparse._ActionsContainer, words: str) -> None:
    """Add `--project`."""
    parser.add_argument("--project", type=of(count(low=1)), metavar="ID", help=words)


def weighted_folder(text: str) -> tuple[Path, float]:
    """Return a data set with its weight, from `DIR` or `DIR:WEIGHT`."""
    root, colon, weight = text.rpartition(":")
    if not colon or Path(text).exists():
        root, weight = text, "1"
    try:
        share = float(weight)
    except ValueError:
        share = math.nan
    if not 0 < share < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected DIR or DIR:WEIGHT, a finite weight above 0, got {weight!r}"
        )
    if not root or not Path(root).exists():
        raise argparse.ArgumentTypeError(f"{root!r}: no such file or folder")
    return Path(root), share
