"""The command `mfp`. Each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import io
import logging
import os
import sqlite3
import sys
from collections.abc import Sequence

from backend.commands import (
    annotate,
    bench,
    coco,
    connect,
    evaluate,
    fine_tune,
    migrate,
    models,
    replicas,
    segment,
    sessions,
    train,
    tune_graph_cut,
    weights,
    work,
)
from backend.commands.cluster import add_ray, check_ray
from backend.commands.options import add_device
from backend.commands.parsing import CommandParser, Commands, UsageError, add_count, of, root_parser
from backend.commands.printing import GOES_ON, Problems
from backend.cores import multiply_in_one_thread
from backend.environment.readers import count
from backend.settings import Settings
from mfp_model.errors import MfpError

_DISTRIBUTION = "label-studio-mfp"
_STOPPED_CODE = 130  # as shells have it
_NO_READER_CODE = 141  # likewise


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0; 1 with a message on standard error; 2 where some items of many could not be processed; 130
    after Ctrl-C; 141 where nobody reads on, as after `| head`.
    """
    try:
        try:
            return _run(arguments)
        finally:
            print(end="", flush=True)  # which knows what to do where there is no output
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush
        if isinstance(error, BrokenPipeError):
            return _NO_READER_CODE
        print(f"mfp: {error}", file=sys.stderr)
        return 1


def _run(arguments: Sequence[str] | None) -> int:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it tells where it found keys
    name, options = "mfp", argparse.Namespace()
    _print_any_letter()
    multiply_in_one_thread(os.environ)
    try:
        options = make_parser().parse_typed(arguments)
        if options.run is None:
            options.parser.print_help()
            return 0
        name = options.parser.prog
        options.environment = os.environ  # Ray reads what is set there
        options.settings = Settings.from_env(options.environment)
        options.problems = Problems()
        code = options.run(options) or 0
        advice = "; --json names them" if vars(options).get("json", "") is None else ""
        return options.problems.exit_code(advice=advice) or code
    except KeyboardInterrupt:
        words = GOES_ON if vars(options).get("goes_on") else "stopped"
        print(f"{name}: {words}", file=sys.stderr)
        return _STOPPED_CODE
    except UsageError as error:
        print(f"{error.command}: {error}", file=sys.stderr)
        return 1
    except MfpError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except sqlite3.OperationalError as error:
        why = "is the disk full, or does another process write there?"
        print(f"{name}: its file on disk cannot be written ({error}): {why}", file=sys.stderr)
        return 1
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _is_unread():
            raise
        print(f"{name}: {error}", file=sys.stderr)
        return 1


def _is_unread() -> bool:
    """Whether nobody reads standard output on; other pipes break as well."""
    try:
        print(end="", flush=True)
    except BrokenPipeError:
        return True
    return False


def _print_any_letter() -> None:
    """Escape letters that standard output cannot show; Python does so for standard error alone."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def make_parser() -> CommandParser:
    """Return what reads the command line, with all commands."""
    parser = root_parser("Click on an object, get its mask: the backend and its tools.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version, and end")
    commands = Commands.of(parser)
    _add_serve(commands)
    for command in (
        connect,
        segment,
        annotate,
        coco,
        train,
        fine_tune,
        models,
        migrate,
        sessions,
        evaluate,
        tune_graph_cut,
        bench,
        weights,
        work,
        replicas,
    ):
        command.add(commands)
    return parser


# Here, since the other commands do not know the server.
def _add_serve(commands: Commands) -> None:
    parser = commands.add("serve", "answer Label Studio", _serve)
    parser.add_argument("--host", default="127.0.0.1", metavar="NAME", help="to listen at")
    parser.add_argument(
        "--port",
        type=of(count(low=1, high=65535)),
        default=9090,
        metavar="N",
        help="to listen at",
    )
    add_count(parser, "--workers", "processes", default=1)
    add_count(parser, "--threads", "of each process; default: MFP_MAX_WAITING + 4")
    add_device(parser, None, "; default: MFP_DEVICE")
    add_ray(parser, "let replicas of Ray Serve compute, on any machines")


def _serve(options: argparse.Namespace) -> None:
    check_ray(options)
    from backend.server.replicas import ReplicasChoice
    from backend.server.serve import serve

    replicas = None
    if options.ray:
        replicas = ReplicasChoice(address=options.address or "", n_replicas=options.replicas or 0)
    settings = options.settings
    if options.device:
        settings = dataclasses.replace(settings, device=options.device)
    serve(
        settings,
        host=options.host,
        port=options.port,
        n_workers=options.workers,
        n_threads=options.threads,
        replicas=replicas,
    )


class _Version(argparse.Action):
    """Prints the installed version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"{_DISTRIBUTION} {importlib.metadata.version(_DISTRIBUTION)}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
