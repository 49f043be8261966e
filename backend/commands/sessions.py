"""`mfp sessions`: what was recorded of how people click."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_sessions(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add the commands."""
    parser = commands.add_parser("sessions", help="how people clicked")
    actions = parser.add_subparsers(required=True)
    report = actions.add_parser("report", help="clicks and seconds an object, what went wrong")
    report.add_argument("--out", type=Path, required=True, metavar="FILE.html")
    report.add_argument("--project", default="", metavar="ID", help="default: all projects")
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    import dataclasses

    from backend.recording.objects import read_objects
    from backend.recording.report import figures, write_report
    from backend.settings import Settings
    from backend.storage.data_folder import DataFolder
    from mfp_model.errors import DataError

    settings = Settings.from_env(options.environment)
    objects = read_objects(DataFolder(settings.data_dir).sessions_file, project=options.project)
    if not objects:
        raise DataError("nothing was recorded yet")
    write_report(options.out, objects, label_studio_url=settings.label_studio_url)
    print(json.dumps(dataclasses.asdict(figures("all", objects))))
