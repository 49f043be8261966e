"""`mfp evaluate ablation`: clicks needed with each variant of the modulation."""

from __future__ import annotations

import argparse
import dataclasses

from backend.commands.evaluate.measuring import changed_segmenter
from backend.commands.labelled import add_labelled_data, check_labelled_data, labelled_objects
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
    from tqdm import tqdm

    from mfp_model.evaluation.ablation import VARIANTS, as_table
    from mfp_model.evaluation.protocol import click_object
    from mfp_model.evaluation.scores import score

    rows = {}
    for name, modulation in VARIANTS.items():
        segmenter = changed_segmenter(options, modulation)
        targets = tqdm(labelled_objects(options), unit="object", desc=name)
        rows[name] = score(click_object(segmenter, target).result for target in targets)
    report = {name: dataclasses.asdict(scores) for name, scores in rows.items()}
    show(options, report, [as_table(rows)])
