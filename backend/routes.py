"""What the server answers: Label Studio's calls, the metrics, and a page for people."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, request

from backend.metrics import CONTENT_TYPE
from backend.request import RequestError, parse_predict
from backend.service import Service
from backend.status_page import render_status

_log = logging.getLogger(__name__)


def add_routes(app: Flask, service: Service) -> None:
    """Give the application its routes."""
    slot, telemetry = service.slot, service.telemetry

    @app.route("/")
    def status() -> str:
        return render_status(slot, telemetry)

    @app.route("/metrics")
    def metrics() -> Response:
        return Response(telemetry.metrics.exposition(), content_type=CONTENT_TYPE)

    @app.route("/health")
    def health() -> tuple[dict[str, Any], int]:
        answer = {
            "status": "UP" if slot.failure is None else "DOWN",
            "model_class": "MFP",
            "model_version": slot.version,
            "ready": slot.is_ready,
        }
        return answer, 200 if slot.failure is None else 500

    @app.route("/setup", methods=["POST"])
    def setup() -> dict[str, Any]:
        return {"model_version": slot.version, "ready": slot.is_ready}

    @app.route("/predict", methods=["POST"])
    def predict() -> dict[str, Any]:
        tasks = parse_predict(_body())
        return {"results": service.predictor.results(tasks)}

    @app.route("/webhook", methods=["POST"])
    def webhook() -> dict[str, Any]:
        body = _body()
        _log.info("webhook %s", str(body.get("action"))[:40] if isinstance(body, dict) else None)
        return {"status": "ok"}


def _body() -> object:
    try:
        return request.get_json(force=True)
    except RecursionError:
        raise RequestError("body: JSON nested too deep") from None
