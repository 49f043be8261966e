"""The page for people: is it well, how fast, what it learned, and what went wrong.

Label Studio shows an annotator nothing of a backend's errors, so this page does, each with what
to do about it. What cannot be read of it is named, and the rest is shown.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import render_template

from backend.cluster.replicas_state import read_replicas
from backend.learning.job_rows import OPEN_STATES, Job
from backend.models.serving import Serving, scope_words
from backend.models.version import ModelVersion
from backend.monitoring.journal import JournalError, Minutes
from backend.monitoring.metrics import Figures
from backend.server.advice import ADVICE, UNKNOWN
from backend.server.charts import HEIGHT, clicks_chart, times_chart
from backend.server.fine_tuning import read_state
from backend.server.service import Service
from backend.server.words import duration, state_words, step_words, time_left
from backend.storage.sqlite_file import damaged_files
from mfp_model.errors import MfpError

T = TypeVar("T")

_log = logging.getLogger(__name__)
_MINUTES = 60
_N_ERRORS = 100  # read; those that are alike make one row
_N_ERROR_ROWS = 25
_N_JOBS = 10
_N_VERSIONS = 20
_OUTCOMES = ("answered", "superseded", "busy", "failed")


class _Reader:
    """Reads the parts of the page; what of them cannot be read costs only itself.

    Attributes:
        problems: What could not be read.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []

    def read(self, what: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except (MfpError, OSError, ValueError, KeyError, TypeError) as error:
            is_bug = isinstance(error, (ValueError, KeyError, TypeError))
            _log.error("status page: %s cannot be read: %s", what, error, exc_info=is_bug)
            self.problems.append(f"{what} cannot be read: {error}")
            return otherwise


def render_status(service: Service) -> str:
    """Return the page's HTML."""
    models, reader, journal = service.models, _Reader(), service.telemetry.journal
    figures = reader.read("figures", service.telemetry.metrics.figures, Figures([]))
    minutes = reader.read("clicks", lambda: journal.minutes(_MINUTES), Minutes())
    jobs: list[Job] = reader.read("fine-tunings", lambda: service.trainer.queue.newest(_N_JOBS), [])
    n_projects = reader.read("projects", service.trainer.queue.n_projects, 0)
    versions: list[ModelVersion] = reader.read("model versions", service.registry.versions, [])
    serving = reader.read("model versions", service.registry.serving, Serving({}))
    set_aside: list[str] = reader.read(
        "data folder", lambda: [path.name for path in damaged_files(service.state.data.root)], []
    )
    outcomes = _outcomes(figures)
    return render_template(
        "status.html",
        models=models,
        state="DOWN" if models.failure else "ready" if models.is_ready else "loading",
        devices=sorted(figures.labels("mfp_model", "device")),
        n_workers=int(figures.value("mfp_model", version=models.version)),
        next_step=None if reader.problems else _next_step(service, outcomes, jobs, n_projects),
        fine_tuning=read_state(service.shared_dir),
        replicas=read_replicas(service.shared_dir),
        jobs=[_job_row(job, versions) for job in jobs],
        versions=_version_rows(versions, serving, models.taken),
        uptime=duration(reader.read("uptime", journal.uptime_s, 0.0)),
        outcomes=outcomes,
        waiting=int(figures.value("mfp_waiting")),
        cache_mb=_cache_mb(figures),
        median_ms=minutes.median_ms,
        clicks_chart=clicks_chart(minutes.each),
        times_chart=times_chart(minutes.each),
        height=HEIGHT,
        errors=_error_rows(reader.read("errors", lambda: journal.errors(_N_ERRORS), [])),
        set_aside=set_aside,
        refusals=_refusals(figures),
        unreadable=reader.problems,
        label_studio_url=service.label_studio_url,
        has_sessions=service.state.has_sessions,
    )


def _outcomes(figures: Figures) -> dict[str, int]:
    return {name: int(figures.value("mfp_clicks_total", outcome=name)) for name in _OUTCOMES}


def _cache_mb(figures: Figures) -> dict[str, float]:
    names = ("images", "clicks")
    return {name: figures.value("mfp_cache_bytes", cache=name) / 1e6 for name in names}


def _next_step(
    service: Service, outcomes: dict[str, int], jobs: list[Job], n_projects: int
) -> tuple[str, str] | None:
    """What somebody who has just come here would do next: what, and how; None for nothing."""
    if service.models.failure:
        return None
    if not service.models.is_ready:
        return "Wait some seconds.", "The weights are being loaded."
    if not n_projects:
        return (
            "Connect a project of Label Studio.",
            "Project → Settings → Model → Connect Model, with this page's address, and switch on "
            "Interactive preannotations. Or run: mfp connect --backend ADDRESS --project NUMBER",
        )
    if not outcomes["answered"]:
        return (
            "Click on an object.",
            "Open a task, switch on Auto-Annotation in the bottom bar, choose the tool "
            "Auto-Detect (key M), and click.",
        )
    if not jobs:
        return (
            "Let it learn from your masks.",
            "When about 20 images are labelled and submitted: Project → Settings → Model → … → "
            "Start Training. What it comes to will be told here.",
        )
    return None


def _refusals(figures: Figures) -> list[tuple[str, int, str]]:
    """Kind, number and advice of what was refused."""
    kinds = sorted(figures.labels("mfp_refusals_total", "kind"))
    return [
        (kind, int(figures.value("mfp_refusals_total", kind=kind)), ADVICE.get(kind, UNKNOWN))
        for kind in kinds
    ]


@dataclass(slots=True, kw_only=True)
class _ErrorRow:
    """Errors that are alike: how many, and the newest of them."""

    age: str
    kind: str
    message: str
    advice: str
    request_id: str
    n: int = 1


def _error_rows(errors: list[JournalError]) -> list[_ErrorRow]:
    rows: dict[tuple[str, str], _ErrorRow] = {}
    for error in errors:  # newest first
        row = rows.get((error.kind, error.message))
        if row is not None:
            row.n += 1
            continue
        rows[error.kind, error.message] = _ErrorRow(
            age=duration(time.time() - error.at),
            kind=error.kind,
            message=error.message,
            advice=ADVICE.get(error.kind, UNKNOWN),
            request_id=error.request_id,
        )
    return list(rows.values())[:_N_ERROR_ROWS]


def _job_row(job: Job, versions: list[ModelVersion]) -> dict[str, Any]:
    is_open = job.state in OPEN_STATES
    since = time.time() - (job.finished or job.started or job.created)
    return {
        "id": job.id,
        "project": job.project,
        "state": job.state,
        "words": state_words(job.state),
        "message": step_words(job.step) if job.state == "running" else job.message,
        "percent": int(100 * job.share),
        "left": time_left(job.share, since) if job.state == "running" else "",
        "since": f"for {duration(since)}" if is_open else f"{duration(since)} ago",
        "version": job.version,
        "has_report": any(entry.version == job.version and entry.has_report for entry in versions),
        "is_open": is_open,
    }


def _version_rows(
    versions: list[ModelVersion], promoted: Serving, taken: Serving
) -> list[dict[str, Any]]:
    """The newest versions, with the projects that they serve, or should serve."""
    rows = []
    for entry in reversed(versions[-_N_VERSIONS:]):
        serves, should = taken.scopes(entry.version), promoted.scopes(entry.version)
        verdict = entry.manifest.get("sentence") or entry.manifest.get("reason") or ""
        rows.append(
            {
                "name": entry.version,
                "serves": ", ".join(map(scope_words, serves)),
                "unused": ", ".join(scope_words(x) for x in should if x not in serves),
                "verdict": str(verdict),
                "has_report": entry.has_report,
            }
        )
    return rows
