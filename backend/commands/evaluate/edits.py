"""`mfp evaluate edits`: what it takes to mend a mask that is there already."""

from __future__ import annotations

import argparse
import dataclasses

from backend.commands.evaluate.measuring import add_mfp_on_objects, mfp_on_objects
from backend.commands.parsing import Commands
from backend.commands.printing import show


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "edits", "count clicks needed to mend damaged masks, against drawing anew", _evaluate
    )
    add_mfp_on_objects(parser)


def _evaluate(options: argparse.Namespace) -> None:
    segmenter, targets = mfp_on_objects(options)
    from mfp_model.evaluation.edits import as_table, evaluate_edits

    scores = evaluate_edits(segmenter, targets)
    report = {kind: dataclasses.asdict(entry) for kind, entry in scores.items()}
    show(options, report, [as_table(scores)])
