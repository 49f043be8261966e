"""`mfp fine-tune`, `mfp models` and `mfp work`."""

from __future__ import annotations

import argparse
import json
import logging.config
import sys
import tempfile
from pathlib import Path
from typing import Any

from backend.commands.options import parse_folders
from mfp_model.names import DEVICES, listed

_NOT_BETTER_CODE = 2


def add_fine_tune(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add `mfp fine-tune`."""
    parser = commands.add_parser("fine-tune", help="learn from corrected masks")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="COCO folder")
    parser.add_argument("--base", type=Path, metavar="FILE", help="default: the shipped weights")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--version", help="model version; default: FILE's name")
    parser.add_argument(
        "--replay",
        action="append",
        default=[],
        metavar="DIR[:WEIGHT]",
        help="further COCO folder to learn from, beside the data's weight of 1; repeatable",
    )
    parser.add_argument("--samples", type=int, help="to learn from at most")
    parser.add_argument("--device", default="auto", help=listed(DEVICES))
    parser.add_argument("--work", type=Path, metavar="DIR", help="to go on in after a kill")
    parser.set_defaults(run=_fine_tune)


def add_models(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add `mfp models`."""
    parser = commands.add_parser("models", help="fine-tuned versions, and which of them serve")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="all versions with their scores")
    for name, told in (
        ("promote", "let a version serve"),
        ("rollback", "let the version before serve again"),
        ("delete", "remove a version that does not serve"),
    ):
        action = actions.add_parser(name, help=told)
        if name != "rollback":
            what = "VERSION|FILE" if name == "promote" else "VERSION"
            action.add_argument("version", metavar=what)
        if name != "delete":
            action.add_argument("--project", metavar="ID", help="default: all without their own")
    parser.set_defaults(run=_models)


def add_work(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add `mfp work`."""
    parser = commands.add_parser("work", help="run fine-tuning jobs; mfp serve starts this itself")
    parser.add_argument("--job", type=int, metavar="ID", help=argparse.SUPPRESS)
    parser.set_defaults(run=_work)


def _fine_tune(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from backend.learning.stop_signal import StopSignal
    from mfp_model.fine_tuning.fine_tune import fine_tune
    from mfp_model.fine_tuning.job import FineTuneJob, Progress
    from mfp_model.weights import DEFAULT_WEIGHTS

    stop = StopSignal()
    with (
        tempfile.TemporaryDirectory() as scratch,
        tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining} {desc}") as bar,
    ):

        def report(progress: Progress) -> None:
            bar.set_description_str(progress.step)
            bar.update(int(100 * progress.share) - bar.n)

        job = FineTuneJob(
            data=options.data,
            base=options.base or DEFAULT_WEIGHTS,
            out=options.out,
            version=options.version or options.out.stem,
            work=options.work or Path(scratch),
            replay=parse_folders(options.replay),
            n_samples=options.samples,
            device=options.device,
        )
        decision = fine_tune(job, report=report, should_stop=lambda: stop.is_asked)
    told = {"passes": decision.passes, "reason": decision.reason, "report": str(job.report)}
    print(json.dumps(told))
    return 0 if decision.passes else _NOT_BETTER_CODE


def _models(options: argparse.Namespace) -> None:
    from backend.models.registry import ModelRegistry
    from backend.settings import Settings
    from backend.storage.data_folder import DataFolder

    registry = ModelRegistry(DataFolder(Settings.from_env(options.environment).data_dir).models)
    if options.action == "promote":
        path = Path(options.version)
        version = registry.add_file(path) if path.is_file() else options.version
        registry.promote(version, project=options.project)
        print(version)
    elif options.action == "rollback":
        version = registry.rollback(project=options.project)
        print(version or "the checkpoint of the settings")
    elif options.action == "delete":
        registry.delete(options.version)
    else:
        histories = registry.serving().histories
        for one in registry.versions():
            serves = [name for name, past in histories.items() if past[-1:] == (one.version,)]
            told = {key: one.manifest.get(key) for key in ("base", "passes", "reason")}
            print(json.dumps({"version": one.version, "serves": serves, **told}))


def _work(options: argparse.Namespace) -> int:
    from backend.learning.work import STOPPED_CODE, end_with_parent, work
    from backend.monitoring.logs import log_config
    from backend.settings import Settings
    from backend.storage.data_folder import DataFolder

    settings = Settings.from_env(options.environment)
    data = DataFolder(settings.data_dir)
    if options.job is None:
        logging.config.dictConfig(log_config(settings.log_format))
        work(data)
        return 0
    from backend.learning.job import run_job

    end_with_parent()
    print(f"job {options.job} begins", file=sys.stderr)
    return 0 if run_job(options.job, settings, data) else STOPPED_CODE
