"""`mfp evaluate alike`: how well all objects like one are found."""

from __future__ import annotations

import argparse
import dataclasses
from itertools import islice

from backend.commands.options import add_checkpoint, add_device
from backend.commands.parsing import Commands, add_choice, add_count, add_json, of
from backend.commands.printing import show, table
from backend.environment.readers import folder
from mfp_model.names import EXAMPLES


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("alike", "find all objects that look like one of them", _evaluate)
    parser.add_argument(
        "--root", type=of(folder()), required=True, metavar="DIR", help="COCO folder"
    )
    add_choice(parser, "--example", EXAMPLES, "what is given of one object: {}", default="click")
    add_count(parser, "--min-objects", "of a category that an image must have", low=2, default=6)
    add_count(parser, "--limit", "the first N images only")
    add_checkpoint(parser)
    add_device(parser)
    add_json(parser)


def _evaluate(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from mfp_model.data.coco import read_coco
    from mfp_model.evaluation.alike import alike_images, evaluate_alike
    from mfp_model.loading import load_segmenter

    tell = options.problems.tell
    data = read_coco(options.root, on_problem=tell)
    images = alike_images(data, min_objects=options.min_objects, on_problem=tell)
    segmenter = load_segmenter("mfp", checkpoint=options.checkpoint, device=options.device)
    chosen = tqdm(islice(images, options.limit), unit="image")
    scores = evaluate_alike(segmenter, chosen, example=options.example)
    means = {
        name: sum(getattr(score, name) for score in scores) / len(scores)
        for name in ("precision", "recall", "f1")
    }
    report = {
        **means,
        "n_images": len(scores),
        "example": options.example,
        "checkpoint": segmenter.version,
        "images": [dataclasses.asdict(score) for score in scores],
    }
    columns = ("image", "to find", "answered", "found", "precision", "recall", "F1")
    rows = [
        (s.name, s.n_objects, s.n_answers, s.n_found, s.precision, s.recall, s.f1) for s in scores
    ]
    mean = (f"mean of {len(scores)}", None, None, None, *means.values())
    show(options, report, table(columns, [*rows, mean]))
