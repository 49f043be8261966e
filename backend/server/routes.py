"""What the server answers: Label Studio's calls, the metrics, and pages for people."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, redirect, request

from backend.label_studio.request import RequestError, parse_predict, project_id
from backend.monitoring.metrics import CONTENT_TYPE
from backend.server.fine_tuning import read_state
from backend.server.service import Service
from backend.server.status_page import render_status

_Redirect = Any  # Flask 1 and 3 return responses of different classes


def add_routes(app: Flask, service: Service) -> None:
    """Give the application its routes."""
    _add_label_studio_routes(app, service)
    _add_pages(app, service)


def _add_label_studio_routes(app: Flask, service: Service) -> None:
    models = service.models

    @app.route("/health")
    def health() -> tuple[dict[str, Any], int]:
        answer = {
            "status": "UP" if models.failure is None else "DOWN",
            "model_class": "MFP",
            "model_version": models.version,
            "ready": models.is_ready,
        }
        state = read_state(service.shared_dir)
        if state is not None:
            answer["fine_tuning"] = "running" if state.is_running else "ended"
        return answer, 200 if models.failure is None else 500

    @app.route("/setup", methods=["POST"])
    def setup() -> dict[str, Any]:
        sent = request.get_json(force=True, silent=True)
        body = sent if isinstance(sent, dict) else {}
        version = service.setup.version(project_id(body), str(body.get("schema") or ""))
        return {"model_version": version, "ready": models.is_ready}

    @app.route("/predict", methods=["POST"])
    def predict() -> dict[str, Any]:
        tasks = parse_predict(_body())
        return {"results": service.predictor.results(tasks)}

    @app.route("/webhook", methods=["POST"])
    def webhook() -> dict[str, Any]:
        body = _body()
        job = service.trainer.take(body)
        if isinstance(body, dict):
            service.recorder.webhook(body)
        return {"status": "ok", "job": job.id if job else None}


def _add_pages(app: Flask, service: Service) -> None:
    @app.route("/")
    def status() -> str:
        return render_status(service)

    @app.route("/metrics")
    def metrics() -> Response:
        return Response(service.telemetry.metrics.exposition(), content_type=CONTENT_TYPE)

    @app.route("/jobs/<int:job>/log")
    def log(job: int) -> Response:
        return Response(service.trainer.log(job), content_type="text/plain; charset=utf-8")

    @app.route("/jobs/<int:job>/cancel", methods=["POST"])
    def cancel(job: int) -> _Redirect:
        _check_origin()
        service.trainer.queue.cancel(job)
        return redirect("/", code=303)

    @app.route("/models/<version>/report")
    def report(version: str) -> str:
        path = service.registry.version(version).report
        return path.read_text() if path.exists() else abort(404)


def _check_origin() -> None:
    """Browsers send the password along to any page's form, so a form must be of our own page."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise RequestError(f"form sent from {origin[:80]!r}: expected the status page")


def _body() -> object:
    try:
        return request.get_json(force=True)
    except RecursionError:
        raise RequestError("body: JSON nested too deep") from None
