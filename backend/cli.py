"""The command `mfp`. Each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import sys

from backend.commands.annotate import add_annotate
from backend.commands.bench import add_bench
from backend.commands.coco import add_export_coco, add_import_coco
from backend.commands.connect import add_connect
from backend.commands.evaluate import add_ablate, add_evaluate
from backend.commands.evaluate_edits import add_evaluate_edits
from backend.commands.evaluate_loop import add_evaluate_loop
from backend.commands.fine_tune import add_fine_tune, add_models, add_work
from backend.commands.segment import add_segment
from backend.commands.sessions import add_sessions
from backend.commands.train import add_train
from backend.commands.tune_graph_cut import add_tune_graph_cut
from backend.commands.weights import add_convert, add_fetch_weights, add_parity
from mfp_model.errors import MfpError


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    0; 1 with a message on standard error; 2 where some items of many could not be processed.
    """
    options = _parser().parse_args(arguments)
    options.environment = dict(os.environ)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        return options.run(options) or 0
    except MfpError as error:
        print(f"mfp {options.command}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mfp", description="Click on an object, get its mask.")
    commands = parser.add_subparsers(dest="command", required=True)

    serve = commands.add_parser("serve", help="answer Label Studio")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=9090)
    serve.add_argument("--workers", type=int, default=1)
    serve.add_argument("--threads", type=int, help="per worker; default: MFP_MAX_WAITING + 4")
    serve.add_argument("--device", help="auto, cpu, cuda or cuda:N; default: MFP_DEVICE or auto")
    serve.set_defaults(run=_serve)

    for add in (
        add_segment,
        add_connect,
        add_export_coco,
        add_import_coco,
        add_annotate,
        add_bench,
        add_evaluate,
        add_ablate,
        add_evaluate_edits,
        add_tune_graph_cut,
        add_evaluate_loop,
        add_train,
        add_fine_tune,
        add_models,
        add_sessions,
        add_work,
        add_convert,
        add_parity,
        add_fetch_weights,
    ):
        add(commands)
    return parser


def _serve(options: argparse.Namespace) -> None:
    from backend.server.serve import serve
    from backend.settings import Settings

    settings = Settings.from_env(options.environment)
    if options.device:
        settings = dataclasses.replace(settings, device=options.device)
    serve(
        settings,
        host=options.host,
        port=options.port,
        n_workers=options.workers,
        n_threads=options.threads,
    )


if __name__ == "__main__":
    sys.exit(main())
