"""`mfp tune-graph-cut`: chooses the graph cut's constants."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

from backend.commands.labelled import add_labelled_data, check_labelled_data, labelled_objects
from backend.commands.options import add_checkpoint, add_device
from backend.commands.parsing import Commands, add_choice, add_count, of
from backend.commands.printing import note_unused, write_file
from backend.environment.readers import folder, new_file
from mfp_model.names import FEATURES

if TYPE_CHECKING:
    from mfp_model.graph_cut.constants import GraphCutConfig
    from mfp_model.graph_cut.features import FeatureEncoder


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "tune-graph-cut", "choose the graph cut's constants on a labelled folder", _tune
    )
    add_labelled_data(parser)
    add_choice(parser, "--features", (*FEATURES, "both"), default="both")
    add_count(parser, "--folds", "parts held out in turn", low=2, default=4)
    add_checkpoint(parser, "of the deep features")
    add_device(parser)
    parser.add_argument(
        "--out",
        type=of(folder(may_be_new=True)),
        required=True,
        metavar="DIR",
        help="for rgb.json and deep.json; the server uses those in graph-cut of MFP_DATA_DIR",
    )
    parser.add_argument(
        "--plot", type=of(new_file()), metavar="FILE.png", help="scores against smoothness"
    )


def _tune(options: argparse.Namespace) -> None:
    check_labelled_data(options)
    if options.features == "rgb":
        note_unused(options, "with --features rgb there are no deep features", "checkpoint")
    from mfp_model.engines.device import best_device
    from mfp_model.evaluation.plots import plot_sweeps
    from mfp_model.evaluation.tuning import tune
    from mfp_model.graph_cut.constants import GraphCutConfig
    from mfp_model.graph_cut.features import load_encoder
    from mfp_model.segmenters.graph_cut import GraphCutSegmenter

    objects = list(labelled_objects(options))
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
        tuning = tune(start, make, objects, n_folds=options.folds, report=_print)
        tunings[features] = tuning
        content = json.dumps({**dataclasses.asdict(tuning), "n_objects": len(objects)}, indent=2)
        write_file(options.out / f"{features}.json", content.encode())
        print(
            f"{features}: mean IoU over five clicks {tuning.score:.3f}, held out "
            f"{tuning.held_out_score:.3f}; {tuning.config}"
        )
    if options.plot:
        write_file(options.plot, plot_sweeps(tunings))


def _print(config: GraphCutConfig, score: float) -> None:
    constants = dataclasses.asdict(config)
    print(f"{score:.4f} " + " ".join(f"{name}={value}" for name, value in constants.items()))
