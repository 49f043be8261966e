"""`mfp sessions`: what was recorded of how people click."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from backend.commands.options import add_project
from backend.commands.parsing import Commands, add_json, of
from backend.commands.printing import facts, note, note_replaced, show
from backend.environment.readers import new_file
from mfp_model.errors import DataError, ImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backend.recording.recorded_objects import RecordedObject


def add(commands: Commands) -> None:
    """Add the commands."""
    group = commands.group("sessions", "how people clicked")
    report = group.add("report", "clicks and seconds an object, what went wrong", _report)
    report.add_argument(
        "--out", type=of(new_file()), required=True, metavar="FILE.html", help="the page"
    )
    add_project(report, "default: all projects")
    report.add_argument(
        "--no-photos", action="store_true", help="shapes alone, where masks went wrong"
    )
    add_json(report)


def _report(options: argparse.Namespace) -> None:
    from backend.images.sources import image_sources
    from backend.label_studio.access import LabelStudioError
    from backend.recording.recorded_objects import read_objects
    from backend.recording.replayed import image_of
    from backend.recording.sessions_report import figures, write_report
    from backend.storage.shared_state import SharedState

    project = str(options.project or "")
    settings = options.settings
    objects = read_objects(SharedState(*settings.places).recorded(), project=project)
    if not objects:
        what = f"of project {project} was" if project else "was"
        raise DataError(f"nothing {what} recorded yet in {settings.data_dir}")
    note_replaced(options.out)
    sources = image_sources(settings)
    missing: list[str] = []

    def photo_of(clicked: RecordedObject) -> NDArray[np.uint8] | None:
        if options.no_photos:
            return None
        try:
            return image_of(clicked, sources, max_megapixels=settings.max_megapixels)
        except (ImageError, LabelStudioError) as error:
            missing.append(str(error))
            return None

    write_report(
        options.out, objects, label_studio_url=settings.label_studio_page, image_of=photo_of
    )
    if missing:
        note(
            f"{len(missing)} photos are not shown: {missing[0]}; LABEL_STUDIO_URL "
            "and LABEL_STUDIO_API_KEY say where they are, --no-photos asks for none"
        )
    report = dataclasses.asdict(figures("all", objects))
    show(options, report, [*facts(report), f"report: {options.out}"])
