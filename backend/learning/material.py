"""What a fine-tuning job learns from: the project's masks, and how people clicked them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

from backend.exchange.annotation_choice import ChoiceRules
from backend.exchange.entries import ExportOptions
from backend.exchange.export import export_coco
from backend.exchange.tasks import project_tasks
from backend.images.sources import image_sources
from backend.label_studio.api import label_studio_api
from backend.label_studio.label_config import TaskConfigs
from backend.recording.recorded_objects import read_objects
from backend.recording.replayed import add_clicks
from backend.settings import Settings
from backend.storage.database import Database
from mfp_model.files import write_atomically

_log = logging.getLogger(__name__)
_CLICKS_MARK = "clicks.json"


def collect(
    folder: Path,
    *,
    project: str,
    settings: Settings,
    sessions: Database | None,
    report: Callable[[float], None],
) -> Path:
    """Return a COCO folder of the project's submitted masks with their recorded clicks.

    Each step leaves a mark when it is done, so a job that was killed in between goes on with the
    first step that has none.

    Args:
        folder: The job's.
        project: Label Studio's project id.
        settings: The Label Studio, and limits of images.
        sessions: Where clicks were recorded; None for nowhere.
        report: Told the share of the export that is done; what it raises ends the export.

    Raises:
        ConfigError: The settings name no Label Studio.
        LabelStudioError: Label Studio cannot be reached, or does not accept the token.
        DataError: What was recorded is damaged.
    """
    data = folder / "data"
    if not (data / "export.json").exists():
        _export(data, int(project), settings, report)
    if not (data / _CLICKS_MARK).exists():
        _add_clicks(data, project, sessions)
    return data


def _export(data: Path, project: int, settings: Settings, report: Callable[[float], None]) -> None:
    api = label_studio_api(settings)
    source = project_tasks(api.patient(), project)
    export_coco(
        source,
        data,
        config=TaskConfigs(api.label_config(project)),
        sources=image_sources(settings),
        options=ExportOptions(
            rules=ChoiceRules(only_submitted=True), max_megapixels=settings.max_megapixels
        ),
        report=lambda n_read: report(n_read / max(1, source.total)),
    )


def first_left_out(data: Path) -> str:
    """Return the first mask or image that an export left out, and why; empty for none."""
    return next(iter(_left_out(data)), "")


def _left_out(data: Path) -> list[str]:
    messages: list[str] = json.loads((data / "export.json").read_text())["messages"]
    return messages


def _add_clicks(data: Path, project: str, sessions: Database | None) -> None:
    """Add what people clicked, where it was recorded, so that the gate can replay it."""
    for message in _left_out(data):
        _log.warning("project %s: not learned from: %s", project, message)
    n_clicked = 0 if sessions is None else add_clicks(data, read_objects(sessions, project=project))
    _log.info("project %s: %d masks have recorded clicks", project, n_clicked)
    write_atomically(data / _CLICKS_MARK, json.dumps({"masks": n_clicked}).encode())
