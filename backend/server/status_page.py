"""The page for people: is it well, how fast, and what went wrong.

Label Studio shows an annotator nothing of a backend's errors, so this page does, each with what
to do about it.
"""

from __future__ import annotations

import math
import sqlite3
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from flask import render_template

from backend.learning.jobs import OPEN_STATES, Job
from backend.models.registry import RegistryError
from backend.monitoring.journal import Journal, Minute
from backend.monitoring.metrics import Figures
from backend.server.fine_tuning import read_state
from backend.server.service import Service
from backend.storage.database import damaged_files

_T = TypeVar("_T")
_MINUTES = 60
_N_ERRORS = 25
_N_JOBS = 10
_CHART_HEIGHT = 60
_FASTEST_MS = 10  # at the chart's lower edge
_ADVICE = {
    "AccessError": "Enter the backend's user name and password where Label Studio's project "
    "settings connect the model; for webhooks write them into the URL.",
    "BusyError": "More clicks arrive than are computed: add workers, a GPU, or raise "
    "MFP_MAX_WAITING.",
    "FineTuningError": "Look into the log. Jobs wait until `mfp work` runs again.",
    "CheckpointError": "A file of weights is missing or damaged: do what the message says.",
    "ConfigError": "Correct what the message names, in the settings or in the project's label "
    "configuration.",
    "DataError": "An annotation or a file holds something that cannot be read: the message says "
    "what.",
    "BrushRleError": "A brush mask of the task is damaged: erase it and paint it again.",
    "PromptError": "A click lies outside the image: reload the task.",
    "ImageError": "Open the task's image in a browser. If it is well there, do what the message "
    "says.",
    "HostError": "Name the host under which Label Studio or you call this server in "
    "MFP_ALLOWED_HOSTS.",
    "ContentTypeError": "Something other than Label Studio sends requests.",
    "InboxFullError": "The disk may be full, or another program holds the file of jobs.",
    "OriginError": "Somebody's browser has a page open that tries to use this server.",
    "TooManyTriesError": "Somebody tries passwords.",
    "UnknownProjectError": "Open the project's settings in Label Studio, or one of its tasks.",
    "LabelConfigError": "Compare the project's label configuration with those in label_config/.",
    "LabelStudioError": "Check LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, and restart the backend.",
    "NotReadyError": "The weights load for some seconds after a start. If it goes on, the log "
    "says why.",
    "RegistryError": "Look into the folder models/ of MFP_DATA_DIR, and at `mfp models list`.",
    "SupervisionError": "The workers that run go on. Correct what the message names, then send "
    "SIGHUP or restart.",
    "RequestEntityTooLarge": "The task carries very many regions: raise MFP_MAX_REQUEST_MB.",
    "RequestError": "Something other than Label Studio sends requests, or another version of it.",
}
_UNKNOWN = "This is a bug here: report it with the lines of the log that have this request's id."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    age: str
    kind: str
    message: str
    advice: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _JobRow:
    id: int
    project: str
    state: str
    told: str
    percent: int
    since: str
    version: str
    has_report: bool
    is_open: bool


def render_status(service: Service) -> str:
    """Return the page's HTML."""
    models, telemetry = service.models, service.telemetry
    figures, journal = telemetry.metrics.figures(), telemetry.journal
    minutes = journal.minutes(_MINUTES)
    busy = [minute for minute in minutes if minute.n_clicks]
    problems: list[str] = []
    queue = service.trainer.queue
    slowest = max((minute.p95_ms for minute in minutes), default=0.0)
    return render_template(
        "status.html",
        models=models,
        state="DOWN" if models.failure else "ready" if models.is_ready else "loading",
        devices=sorted(figures.labels("mfp_model", "device")),
        n_workers=int(figures.value("mfp_model", version=models.version)),
        projects=_readable(lambda: sorted(service.registry.serving().histories.items()), problems),
        fine_tuning=read_state(service.shared_dir),
        jobs=_readable(lambda: [_job_row(job, service) for job in queue.newest(_N_JOBS)], problems),
        uptime=_age(journal.uptime_s()),
        outcomes={
            outcome: int(figures.value("mfp_clicks_total", outcome=outcome))
            for outcome in ("answered", "superseded", "busy", "failed")
        },
        waiting=int(figures.value("mfp_waiting")),
        cache_mb={
            name: figures.value("mfp_cache_bytes", cache=name) / 1e6
            for name in ("images", "clicks")
        },
        median_ms=statistics.median([m.median_ms for m in busy]) if busy else None,
        clicks_per_minute=max((minute.n_clicks for minute in minutes), default=0),
        bars=_bars([minute.n_clicks for minute in minutes]),
        median_line=_dots(minutes, [m.median_ms for m in minutes], slowest),
        p95_line=_dots(minutes, [m.p95_ms for m in minutes], slowest),
        fastest_ms=_FASTEST_MS,
        slowest_ms=slowest,
        height=_CHART_HEIGHT,
        errors=_errors(journal),
        problems=problems,
        set_aside=[path.name for path in damaged_files(service.data.root)],
        refusals=_refusals(figures),
    )


def _refusals(figures: Figures) -> list[tuple[str, int, str]]:
    """Kind, number and advice of what was refused."""
    kinds = sorted(figures.labels("mfp_refusals_total", "kind"))
    return [
        (kind, int(figures.value("mfp_refusals_total", kind=kind)), _ADVICE.get(kind, _UNKNOWN))
        for kind in kinds
    ]


def _errors(journal: Journal) -> list[_Row]:
    now = time.time()
    return [
        _Row(
            age=_age(now - error.at),
            kind=error.kind,
            message=error.message,
            advice=_ADVICE.get(error.kind, _UNKNOWN),
            request_id=error.request_id,
        )
        for error in journal.errors(_N_ERRORS)
    ]


def _readable(read: Callable[[], list[_T]], problems: list[str]) -> list[_T]:
    """What a file of the data folder holds; where it cannot be read the page tells that."""
    try:
        return read()
    except (RegistryError, sqlite3.Error) as error:
        problems.append(str(error))
        return []


def _job_row(job: Job, service: Service) -> _JobRow:
    is_open = job.state in OPEN_STATES
    return _JobRow(
        id=job.id,
        project=job.project,
        state=job.state,
        told=job.step if is_open else job.message,
        percent=int(100 * job.share),
        since=_age(time.time() - (job.finished or job.started or job.created)),
        version=job.version,
        has_report=job.version in service.registry.names(),
        is_open=is_open,
    )


def _age(seconds: float) -> str:
    return str(timedelta(seconds=int(max(seconds, 0))))


def _bars(values: list[int]) -> list[tuple[int, float, float]]:
    """Bars of a chart: x, top, height, in its own units."""
    scale = _CHART_HEIGHT / max(*values, 1)
    return [(10 * i, _CHART_HEIGHT - v * scale, v * scale) for i, v in enumerate(values)]


def _dots(minutes: list[Minute], values: list[float], top: float) -> list[tuple[int, float]]:
    """Points of a chart for the minutes that had clicks, y logarithmic: x, y."""
    scale = (_CHART_HEIGHT - 4) / math.log(max(top / _FASTEST_MS, math.e))
    return [
        (10 * i + 4, _CHART_HEIGHT - 2 - math.log(max(value / _FASTEST_MS, 1)) * scale)
        for i, (minute, value) in enumerate(zip(minutes, values, strict=True))
        if minute.n_clicks
    ]
