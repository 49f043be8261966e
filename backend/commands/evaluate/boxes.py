"""`mfp evaluate boxes`: how good the masks of boxes are."""

from __future__ import annotations

import argparse
import dataclasses
from itertools import islice

from backend.commands.labelled import add_labelled_data, check_labelled_data, labelled_objects
from backend.commands.options import add_checkpoint, add_device
from backend.commands.parsing import Commands, add_json, of
from backend.commands.printing import show
from backend.environment.readers import count


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("boxes", "measure the masks of objects' bounding boxes", _evaluate)
    add_labelled_data(parser)
    add_checkpoint(parser)
    parser.add_argument(
        "--every", type=of(count(low=1)), default=1, metavar="N", help="each N-th object only"
    )
    add_device(parser)
    add_json(parser)


def _evaluate(options: argparse.Namespace) -> None:
    check_labelled_data(options)
    from tqdm import tqdm

    from mfp_model.evaluation.boxes import as_table, evaluate_boxes
    from mfp_model.loading import load_segmenter

    segmenter = load_segmenter("mfp", checkpoint=options.checkpoint, device=options.device)
    targets = islice(labelled_objects(options), 0, None, options.every)
    scores = evaluate_boxes(segmenter, tqdm(targets, unit="object"))
    show(options, dataclasses.asdict(scores), [as_table(scores)])
