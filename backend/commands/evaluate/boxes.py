"""`mfp evaluate boxes`: how good the masks of boxes are."""

from __future__ import annotations

import argparse
import dataclasses

from backend.commands.evaluate.measuring import add_mfp_on_objects, mfp_on_objects
from backend.commands.parsing import Commands
from backend.commands.printing import show


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("boxes", "measure the masks of objects' bounding boxes", _evaluate)
    add_mfp_on_objects(parser)


def _evaluate(options: argparse.Namespace) -> None:
    segmenter, targets = mfp_on_objects(options)
    from mfp_model.evaluation.boxes import as_table, evaluate_boxes

    scores = evaluate_boxes(segmenter, targets)
    show(options, dataclasses.asdict(scores), [as_table(scores)])
