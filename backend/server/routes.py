"""What the server answers: Label Studio's calls, the metrics, and pages for people."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, Response, abort, redirect, request

from backend.cluster.replicas_state import read_replicas
from backend.label_studio.request import parse_predict, project_id
from backend.learning.trainer import UnknownProjectError
from backend.monitoring.metrics import CONTENT_TYPE
from backend.server.body import read_json
from backend.server.fine_tuning import read_state
from backend.server.service import Service
from backend.server.sessions_page import render_sessions
from backend.server.status_page import render_status

_Redirect = Any  # Flask 1 and 3 return responses of different classes


def add_routes(app: Flask, service: Service) -> None:
    """Give the application its routes."""
    _add_probes(app, service)
    _add_label_studio_routes(app, service)
    _add_pages(app, service)


def _add_probes(app: Flask, service: Service) -> None:
    models = service.models

    @app.route("/health")
    def health() -> tuple[dict[str, Any], int]:
        answer = {
            "status": "UP" if models.failure is None else "DOWN",
            "model_class": "MFP",
            "model_version": models.version,
            "ready": is_ready(service),
        }
        replicas = read_replicas(service.shared_dir)
        if replicas is not None:
            answer["replicas"] = f"{replicas.n_running} of {replicas.n_wanted}"
        state = read_state(service.shared_dir)
        if state is not None:
            answer["fine_tuning"] = "running" if state.is_running else "ended"
        return answer, 200 if models.failure is None else 500

    @app.route("/ready")
    def ready() -> tuple[dict[str, Any], int]:
        may_be_asked = is_ready(service)
        return {"ready": may_be_asked}, 200 if may_be_asked else 503


def _add_label_studio_routes(app: Flask, service: Service) -> None:
    @app.route("/setup", methods=["POST"])
    def setup() -> dict[str, Any]:
        sent = read_json(request)
        body = sent if isinstance(sent, dict) else {}
        project = project_id(body)
        service.inbox.know(project)
        service.projects.prepare(project)
        version = service.setup.version(project, str(body.get("schema") or ""))
        return {"model_version": version, "ready": service.models.is_ready}

    @app.route("/predict", methods=["POST"])
    def predict() -> dict[str, Any]:
        tasks = parse_predict(read_json(request), service.projects.of)
        service.inbox.know(*(task.project for task in tasks))
        has_left = request.environ.get("waitress.client_disconnected", lambda: False)
        return {"results": service.predictor.results(tasks, has_left=has_left)}

    @app.route("/webhook", methods=["POST"])
    def webhook() -> dict[str, Any]:
        body = read_json(request)
        try:
            job = service.inbox.put(service.trainer.notice(body))
        except UnknownProjectError as error:
            service.telemetry.refused(error, during="a webhook")
            return {"status": "ok", "job": None}
        if isinstance(body, dict):
            service.recorder.webhook(body)
            if body.get("action") == "PROJECT_UPDATED":
                service.projects.changed()
        return {"status": "ok", "job": job.id if job else None}


def _add_pages(app: Flask, service: Service) -> None:
    @app.route("/")
    def status() -> str:
        return render_status(service)

    @app.route("/sessions")
    def sessions() -> str:
        return render_sessions(service) or abort(404, "nothing was recorded yet")

    @app.route("/metrics")
    def metrics() -> Response:
        return Response(service.telemetry.metrics.exposition(), content_type=CONTENT_TYPE)

    @app.route("/jobs/<job>/log")
    def log(job: str) -> Response:
        return Response(
            service.trainer.logs.end(_number(job)), content_type="text/plain; charset=utf-8"
        )

    @app.route("/jobs/<job>/cancel", methods=["POST"])
    def cancel(job: str) -> _Redirect:
        service.trainer.queue.cancel(_number(job))
        return redirect("../../", code=303)  # the status page, wherever a proxy has it

    @app.route("/models/<version>/report")
    def report(version: str) -> Response:
        if version not in service.registry.names():  # a link of a page that is older
            abort(404)
        content = service.registry.report(version)
        if content is None:
            abort(404)
        return Response(content, content_type="text/html; charset=utf-8")


def is_ready(service: Service) -> bool:
    """Whether clicks are answered now: the weights are loaded, here or by a replica that serves."""
    replicas = read_replicas(service.shared_dir)
    return service.models.is_ready and (replicas is None or replicas.n_running > 0)


def _number(job: str) -> int:
    """The number of a job in an address."""
    return int(job) if re.fullmatch(r"[0-9]{1,15}", job) else abort(404)
