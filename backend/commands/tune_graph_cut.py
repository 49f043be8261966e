"""`mfp tune-graph-cut`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.options import add_labelled_data
from mfp_model.names import FEATURES

if TYPE_CHECKING:
    from mfp_model.graph_cut.config import GraphCutConfig
    from mfp_model.graph_cut.features import FeatureEncoder


def add_tune_graph_cut(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add the command."""
    parser = commands.add_parser(
        "tune-graph-cut", help="choose the graph cut's constants on a labelled folder"
    )
    add_labelled_data(parser)
    parser.add_argument(
        "--features", choices=(*FEATURES, "both"), default="both", help="default: both"
    )
    parser.add_argument("--folds", type=int, default=4, help="parts held out in turn")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="of the deep features")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="for rgb.json and deep.json"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="scores against smoothness")
    parser.set_defaults(run=_tune)


def _tune(options: argparse.Namespace) -> None:
    from itertools import islice

    from mfp_model.engines.device import best_device
    from mfp_model.errors import ConfigError
    from mfp_model.evaluation.datasets import READERS
    from mfp_model.evaluation.plots import plot_sweeps
    from mfp_model.evaluation.tuning import tune
    from mfp_model.files import write_atomically
    from mfp_model.graph_cut.config import GraphCutConfig
    from mfp_model.graph_cut.features import load_encoder
    from mfp_model.segmenters.graph_cut import GraphCutSegmenter

    if options.folds < 2:
        raise ConfigError(f"--folds {options.folds}: expected at least 2")
    objects = list(islice(READERS[options.format](options.root), options.limit))

    tunings = {}
    kinds = FEATURES if options.features == "both" else (options.features,)
    for features in kinds:
        encoder = None
        if features == "deep":
            encoder = load_encoder(options.checkpoint, best_device(options.device))

        def make(
            config: GraphCutConfig, encoder: FeatureEncoder | None = encoder
        ) -> GraphCutSegmenter:
            return GraphCutSegmenter(config, encoder)

        start = GraphCutConfig.default(features)
        found = tune(start, make, objects, n_folds=options.folds, report=_print)
        tunings[features] = found
        content = json.dumps({**dataclasses.asdict(found), "n_objects": len(objects)}, indent=2)
        write_atomically(options.out / f"{features}.json", content.encode())
        print(
            f"{features}: mean IoU over five clicks {found.score:.3f}, held out "
            f"{found.held_out_score:.3f}; {found.config}"
        )
    if options.plot:
        write_atomically(options.plot, plot_sweeps(tunings))


def _print(config: GraphCutConfig, score: float) -> None:
    constants = dataclasses.asdict(config)
    print(f"{score:.4f} " + " ".join(f"{name}={value}" for name, value in constants.items()))
