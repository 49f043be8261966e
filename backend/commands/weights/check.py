"""`mfp weights check`: a published checkpoint's logits against recorded ones."""

from __future__ import annotations

import argparse

from backend.commands.parsing import Commands, add_json, of
from backend.commands.printing import show
from backend.environment.readers import file


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("check", "compare a checkpoint's logits with recorded ones", _check)
    parser.add_argument(
        "--published", type=of(file()), required=True, metavar="FILE.pth", help="the checkpoint"
    )
    parser.add_argument(
        "--vectors", type=of(file()), required=True, metavar="FILE.npz", help="the recording"
    )
    add_json(parser)


def _check(options: argparse.Namespace) -> None:
    from mfp_model.checkpoints.parity import parity

    report = parity(options.published, options.vectors)
    lines = ["largest difference, as a share of the largest recorded logit"]
    names = {"first_round": "first click", "round": "later click"}
    lines += [f"{words}  {report[name]:.2g}" for name, words in names.items()]
    show(options, report, lines)
