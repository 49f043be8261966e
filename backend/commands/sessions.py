"""`mfp sessions`: what was recorded of how people click."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from backend.commands.options import add_project
from backend.commands.parsing import Commands, add_json
from backend.commands.printing import facts, note_replaced, show
from mfp_model.errors import DataError


def add(commands: Commands) -> None:
    """Add the commands."""
    group = commands.group("sessions", "how people clicked")
    report = group.add("report", "clicks and seconds an object, what went wrong", _report)
    report.add_argument("--out", type=Path, required=True, metavar="FILE.html", help="the page")
    add_project(report, "default: all projects")
    add_json(report)


def _report(options: argparse.Namespace) -> None:
    from backend.recording.objects import read_objects
    from backend.recording.report import figures, write_report
    from backend.storage.data_folder import DataFolder

    project = str(options.project or "")
    path = DataFolder(options.settings.data_dir).sessions_file
    objects = read_objects(path, project=project)
    if not objects:
        raise DataError("nothing was recorded yet")
    note_replaced(options.out)
    write_report(options.out, objects, label_studio_url=options.settings.label_studio_url)
    report = dataclasses.asdict(figures("all", objects))
    show(options, report, [*facts(report), f"report: {options.out}"])
