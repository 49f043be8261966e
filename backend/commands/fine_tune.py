"""`mfp fine-tune`: learns from corrected masks."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.options import add_device, weighted_folder
from backend.commands.parsing import Commands, add_count, add_json, of
from backend.commands.printing import facts, note_replaced, show
from backend.environment.readers import file, folder, new_file
from mfp_model.data.coco_layout import annotation_file

if TYPE_CHECKING:
    from mfp_model.fine_tuning.job import FineTuneJob

_NOT_BETTER_CODE = 2


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("fine-tune", "learn from corrected masks", _fine_tune)
    parser.add_argument(
        "--data", type=of(folder()), required=True, metavar="DIR", help="COCO folder"
    )
    parser.add_argument(
        "--base", type=of(file()), metavar="FILE", help="default: the shipped weights"
    )
    parser.add_argument(
        "--out", type=of(new_file()), required=True, metavar="FILE", help="the checkpoint"
    )
    parser.add_argument("--version", metavar="NAME", help="model version; default: FILE's name")
    parser.add_argument(
        "--replay",
        action="append",
        type=weighted_folder,
        default=[],
        metavar="DIR[:WEIGHT]",
        help="further COCO folder to learn from, beside the data's weight of 1; repeatable",
    )
    add_count(parser, "--samples", "to learn from at most")
    add_device(parser)
    parser.add_argument(
        "--work",
        type=of(folder(may_be_new=True)),
        metavar="DIR",
        help="to go on in after a kill",
    )
    add_json(parser)


def _fine_tune(options: argparse.Namespace) -> int:
    from backend.models.version import check_name

    version = options.version or options.out.stem
    check_name(version)
    annotation_file(options.data)  # before what takes seconds to load
    from tqdm import tqdm

    from backend.learning.stop_signal import StopSignal
    from mfp_model.fine_tuning.fine_tune import fine_tune
    from mfp_model.fine_tuning.job import Progress

    note_replaced(options.out)
    stop = StopSignal()
    with (
        tempfile.TemporaryDirectory() as scratch,
        tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining} {desc}") as bar,
    ):

        def report(progress: Progress) -> None:
            bar.set_description_str(progress.step)
            bar.update(int(100 * progress.share) - bar.n)

        job = _job(options, version, options.work or Path(scratch))
        decision = fine_tune(
            job,
            report=report,
            should_stop=lambda: stop.is_asked,
            on_problem=options.problems.tell,
        )
    verdict = {"passes": decision.passes, "reason": decision.reason, "report": str(job.report)}
    show(options, {**verdict, "sentence": decision.sentence}, [decision.sentence, *facts(verdict)])
    return 0 if decision.passes else _NOT_BETTER_CODE


def _job(options: argparse.Namespace, version: str, work: Path) -> FineTuneJob:
    from mfp_model.fine_tuning.job import FineTuneJob
    from mfp_model.weights import DEFAULT_WEIGHTS

    return FineTuneJob(
        data=options.data,
        base=options.base or DEFAULT_WEIGHTS,
        out=options.out,
        version=version,
        work=work,
        replay=tuple(options.replay),
        n_samples=options.samples,
        device=options.device,
        engine=options.settings.engine,
    )
