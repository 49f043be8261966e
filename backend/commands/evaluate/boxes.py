"""`mfp evaluate boxes`: how good the masks of boxes are."""

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
    parser = commands.add("boxes", "measure the masks of objects' bounding boxes", _evaluate)
    add_mfp_on_objects(parser)


def _evaluate(options: argparse.Namespace) -> None:
    check_mfp_on_objects(options)
    from mfp_model.evaluation.boxes import as_table, box_object, score_boxes

    scores = score_boxes(each_of_mfp(options, box_object))
    show(options, dataclasses.asdict(scores), [as_table(scores)])
