"""`mfp evaluate-edits`: what it takes to mend a mask that is there already."""

from __future__ import annotations

import argparse
import dataclasses
import json
from itertools import islice
from pathlib import Path
from typing import Any

from backend.commands.options import add_labelled_data
from mfp_model.names import DEVICES, listed


def add_evaluate_edits(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add the command."""
    parser = commands.add_parser(
        "evaluate-edits", help="clicks needed to mend damaged masks, against drawing them anew"
    )
    add_labelled_data(parser)
    parser.add_argument("--checkpoint", type=Path, metavar="FILE")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th object only")
    parser.add_argument("--device", default="auto", help=listed(DEVICES))
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from mfp_model.evaluation.datasets import READERS
    from mfp_model.evaluation.edits import as_table, evaluate_edits
    from mfp_model.files import write_atomically
    from mfp_model.loading import load_segmenter

    segmenter = load_segmenter("mfp", checkpoint=options.checkpoint, device=options.device)
    targets = islice(READERS[options.format](options.root), 0, options.limit, options.every)
    scores = evaluate_edits(segmenter, tqdm(targets, unit="object"))
    if options.json:
        report = {kind: dataclasses.asdict(one) for kind, one in scores.items()}
        write_atomically(options.json, json.dumps(report).encode())
    print(as_table(scores))
