"""`mfp replicas`: starts replicas of Ray Serve; `mfp serve --ray` starts it itself."""

from __future__ import annotations

import argparse
import logging.config
import os
from pathlib import Path

from backend.commands.cluster import add_replicas
from backend.commands.parsing import Commands, of
from backend.environment.readers import count


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("replicas", "start replicas, and watch them", _watch, is_hidden=True)
    add_replicas(parser)
    parser.add_argument("--shared", type=Path, required=True, metavar="PATH", help="of the front")
    parser.add_argument("--parent", type=of(count(low=1)), metavar="PID", help="ends with it")


def _watch(options: argparse.Namespace) -> None:
    from backend.cluster.overseeing import Overseer
    from backend.monitoring.logs import log_config

    logging.config.dictConfig(log_config(options.settings.log_format))
    overseer = Overseer(
        options.settings, options.shared, options.address or "", options.replicas or 0
    )
    overseer.run(options.parent or os.getppid())
