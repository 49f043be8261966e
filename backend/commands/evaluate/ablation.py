"""`mfp evaluate ablation`: clicks needed with each variant of the modulation."""

from __future__ import annotations

import argparse
import dataclasses

from backend.commands.evaluate.measuring import (
    changed_segmenter,
    scores_of,
)
from backend.commands.labelled import add_labelled_data, check_labelled_data
from backend.commands.options import add_checkpoint, add_device
from backend.commands.parsing import Commands, add_json
from backend.commands.printing import show


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("ablation", "count clicks with each variant of the modulation", _evaluate)
    add_labelled_data(parser)
    add_checkpoint(parser)
    add_device(parser)
    add_json(parser)
    parser.set_defaults(input_size=None, flip=False, engine="auto")


def _evaluate(options: argparse.Namespace) -> None:
    check_labelled_data(options)
    from mfp_model.evaluation.ablation import VARIANTS, as_table
    from mfp_model.evaluation.aims import exact

    rows = {}
    for name, modulation in VARIANTS.items():
        segmenter = changed_segmenter(options, modulation)
        rows[name] = scores_of(options, segmenter, exact, label=name)
    report = {name: dataclasses.asdict(scores) for name, scores in rows.items()}
    show(options, report, [as_table(rows)])
