"""`mfp evaluate edits`: what it takes to mend a mask that is there already."""

from __future__ import annotations

import argparse
import dataclasses

from backend.commands.evaluate.measuring import (
    add_mfp_on_objects,
    check_mfp_on_objects,
    each_of_mfp,
)
from backend.commands.parsing import Commands
from backend.commands.printing import show


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "edits", "count clicks needed to mend damaged masks, against drawing anew", _evaluate
    )
    add_mfp_on_objects(parser)


def _evaluate(options: argparse.Namespace) -> None:
    check_mfp_on_objects(options)
    from mfp_model.evaluation.edits import as_table, edit_object, score_edits

    scores = score_edits(each_of_mfp(options, edit_object))
    report = {kind: dataclasses.asdict(entry) for kind, entry in scores.items()}
    show(options, report, [as_table(scores)])
