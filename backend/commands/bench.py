"""`mfp bench`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from backend.commands.options import add_segmenter_options
from mfp_model.errors import ConfigError


def add_bench(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add the command."""
    parser = commands.add_parser("bench", help="measure clicks, engine and the running server")
    add_segmenter_options(parser)
    parser.add_argument(
        "--network", metavar="NAME", help="engine and steps of vit_b, say, with random weights"
    )
    parser.add_argument(
        "--sizes", default="1024x768,1920x1080,4000x3000", metavar="WxH,…", help="of the photos"
    )
    parser.add_argument("--objects", type=int, default=12, help="clicked on, for each size")
    parser.add_argument(
        "--concurrency", type=int, default=16, metavar="N", help="annotators at once; 0: none"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="how long they click")
    parser.add_argument(
        "--open-objects", type=int, default=0, metavar="N", help="kept open on 100 large photos"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="of the steps, or the soak")
    parser.add_argument(
        "--soak",
        type=float,
        metavar="MINUTES",
        help="instead, let annotators click for so long, and watch memory",
    )
    parser.add_argument("--annotators", type=int, default=4, help="of the soak")
    parser.add_argument("--workers", type=int, default=1, help="of the soak's server")
    parser.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> None:
    if options.soak is not None:
        _soak(options)
        return
    from backend.bench.bench import BenchConfig, bench
    from backend.bench.table import plot_steps, told_lines
    from mfp_model.files import write_atomically

    config = BenchConfig(
        segmenter=options.segmenter,
        checkpoint=options.checkpoint,
        network=options.network,
        engine=options.engine,
        device=options.device,
        sizes=_sizes(options.sizes),
        n_objects=options.objects,
        n_annotators=options.concurrency,
        seconds=options.seconds,
        n_open_objects=options.open_objects,
    )
    figures = bench(config, report=lambda step: print(f"measuring: {step}", file=sys.stderr))
    if options.json:
        write_atomically(options.json, json.dumps(figures, indent=1).encode())
    if options.plot:
        write_atomically(options.plot, plot_steps(figures))
    print("\n".join(told_lines(figures)))


def _sizes(text: str) -> tuple[tuple[int, int], ...]:
    sizes = []
    for part in text.split(","):
        width, _, height = part.partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            raise ConfigError(f"--sizes {text!r}: expected WIDTHxHEIGHT, got {part!r}")
        sizes.append((int(width), int(height)))
    return tuple(sizes)


def _soak(options: argparse.Namespace) -> None:
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
