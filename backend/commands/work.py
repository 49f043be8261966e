"""`mfp work`: runs fine-tuning jobs; `mfp serve` starts it itself."""

from __future__ import annotations

import argparse
import logging.config
import sys
import time

from backend.commands.parsing import Commands, of
from backend.environment.readers import count

_WAIT_S = 2.0


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("work", "run fine-tuning jobs", _work, is_hidden=True)
    parser.add_argument("--job", type=of(count(low=1)), metavar="ID", help="this one only")
    parser.add_argument("--parent", type=of(count(low=1)), metavar="PID", help="ends with it")
    parser.add_argument("--worker", default="", metavar="NAME", help="whose job it is")


def _work(options: argparse.Namespace) -> int:
    from backend.cores import wait_asleep
    from backend.learning.work import STOPPED_CODE, alone, end_with_parent, work
    from backend.monitoring.logs import log_config
    from backend.storage.shared_state import SharedState

    wait_asleep(options.environment)
    settings = options.settings
    state = SharedState(*settings.places)
    if options.job is None:
        logging.config.dictConfig(log_config(settings.log_format))
        work(state, parent=options.parent)
        return 0
    end_with_parent(options.parent)
    with alone(state.data.job_lock(options.job)) as is_mine:
        if not is_mine:  # the one before has lost its parent, and ends at its next step
            print(f"job {options.job} waits for another process to end", file=sys.stderr)
            time.sleep(_WAIT_S)
            return STOPPED_CODE
        from backend.learning.fine_tuning_job import run_job

        print(f"job {options.job} begins", file=sys.stderr)
        return 0 if run_job(options.job, options.worker, settings, state) else STOPPED_CODE
