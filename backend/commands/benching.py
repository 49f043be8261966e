"""`mfp bench`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_bench(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add the command."""
    parser = commands.add_parser("bench", help="measure the running server")
    parser.add_argument(
        "--soak",
        type=float,
        required=True,
        metavar="MINUTES",
        help="let annotators click for so long, and watch memory",
    )
    parser.add_argument("--annotators", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1, help="of the server")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    parser.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from backend.bench.soak import soak
    from backend.bench.soak_plot import plot_soak
    from mfp_model.files import write_atomically

    with tqdm(total=100, unit="%") as bar:

        def report(share: float) -> None:
            bar.update(int(100 * share) - bar.n)

        found = soak(
            minutes=options.soak,
            n_annotators=options.annotators,
            n_workers=options.workers,
            report=report,
        )
    if options.plot:
        write_atomically(options.plot, plot_soak(found))
    print(json.dumps(found.told()))
