"""`mfp bench`: measures clicks, engine and the running server."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import asdict

from backend.commands.options import add_segmenter_options, check_segmenter_options
from backend.commands.parsing import Commands, add_choice, add_count, add_json, of
from backend.commands.printing import facts, note_unused, show, table, write_file
from backend.environment.readers import new_file, number
from mfp_model.names import BACKBONES

_POSITIVE = 1e-9
_SIZES = "1024x768,1920x1080,4000x3000"
_OF_SERVER = ("objects", "concurrency", "seconds", "flows", "open_objects")
_OF_MEASURING = ("segmenter", "checkpoint", "device", "engine", "sizes", *_OF_SERVER)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("bench", "measure clicks, engine and the running server", _bench)
    add_segmenter_options(parser)
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default=_sizes(_SIZES),
        metavar="WxH,…",
        help=f"of the photos; default: {_SIZES}",
    )
    add_count(parser, "--objects", "clicked on, for each size", default=12)
    add_count(parser, "--concurrency", "annotators at once; 0: none", low=0, default=16)
    parser.add_argument(
        "--seconds",
        type=of(number(low=_POSITIVE)),
        default=20.0,
        metavar="S",
        help="how long they click",
    )
    add_count(parser, "--flows", "objects of each way to a mask; 0: none", low=0, default=5)
    add_count(parser, "--open-objects", "kept open on 100 large photos", low=0, default=0)
    add_json(parser)
    _add_long_runs(parser)


def _add_long_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plot", type=of(new_file()), metavar="FILE.png", help="of the steps, or the soak"
    )
    instead = parser.add_mutually_exclusive_group()
    words = "instead, engine and steps of a network with random weights: {}"
    add_choice(instead, "--network", BACKBONES, words)
    instead.add_argument(
        "--soak",
        type=of(number(low=_POSITIVE)),
        metavar="MINUTES",
        help="instead, let annotators click for so long, and watch memory",
    )
    instead.add_argument(
        "--faults", action="store_true", help="instead, try what a running server survives"
    )
    add_count(parser, "--annotators", "of the soak", default=4)
    add_count(parser, "--workers", "of the soak's server", default=1)


def _bench(options: argparse.Namespace) -> None:
    check_segmenter_options(options)
    name_what_has_no_effect(options)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that its servers end as well
    if options.soak is not None:
        _soak(options)
        return
    if options.faults:
        _faults(options)
        return
    from backend.bench.bench import BenchConfig, bench
    from backend.bench.bench_table import plot_steps, report_lines

    config = BenchConfig(
        segmenter=options.segmenter,
        checkpoint=options.checkpoint,
        network=options.network,
        engine=options.engine,
        device=options.device,
        sizes=options.sizes,
        n_objects=options.objects,
        n_annotators=options.concurrency,
        seconds=options.seconds,
        n_open_objects=options.open_objects,
        n_flows=options.flows,
    )
    figures = bench(config, report=lambda step: print(f"measuring: {step}", file=sys.stderr))
    if options.plot:
        write_file(options.plot, plot_steps(figures))
    show(options, figures, report_lines(figures))


def name_what_has_no_effect(options: argparse.Namespace) -> None:
    """Say which options were given that another one makes useless."""
    if options.soak is not None or options.faults:
        mode = "--faults" if options.faults else "--soak"
        note_unused(options, f"{mode} has a server of its own", *_OF_MEASURING)
    elif options.network is not None:
        reason = "--network has random weights and no server"
        note_unused(options, reason, "segmenter", "checkpoint", *_OF_SERVER)
    if options.soak is None:
        note_unused(options, "there is no --soak", "annotators", "workers")
    note_unused(options, "the usual ones are measured", "constants")


def _sizes(text: str) -> tuple[tuple[int, int], ...]:
    sizes = []
    for part in text.split(","):
        width, _, height = part.partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            raise argparse.ArgumentTypeError(f"{text!r}: expected WIDTHxHEIGHT, got {part!r}")
        sizes.append((int(width), int(height)))
    return tuple(sizes)


def _soak(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from backend.bench.soak import soak
    from backend.bench.soak_plot import plot_soak

    with tqdm(total=100, unit="%") as bar:

        def report(share: float) -> None:
            bar.update(int(100 * share) - bar.n)

        soak_run = soak(
            minutes=options.soak,
            n_annotators=options.annotators,
            n_workers=options.workers,
            report=report,
        )
    if options.plot:
        write_file(options.plot, plot_soak(soak_run))
    show(options, soak_run.figures(), facts(soak_run.figures()))


def _faults(options: argparse.Namespace) -> None:
    from backend.bench.faults import bench_faults

    reports = bench_faults(report=lambda name: print(f"trying: {name}", file=sys.stderr))
    columns = ("fault", "survived", "longest pause, ms", "clicks", "lost")
    rows = [
        (
            report.fault,
            "yes" if report.survived else "NO",
            report.longest_pause_ms,
            report.n_clicks,
            report.n_lost,
        )
        for report in reports
    ]
    show(options, {report.fault: asdict(report) for report in reports}, table(columns, rows))
