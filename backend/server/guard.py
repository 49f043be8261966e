"""What holds for every route: request ids, access control, size limit, errors to answers."""

from __future__ import annotations

import re
import uuid
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from backend.answering.turns import BusyError
from backend.label_studio.request import RequestError
from backend.monitoring.logs import request_id
from backend.monitoring.telemetry import Telemetry
from backend.server.doorkeeper import Doorkeeper
from backend.settings import MEGABYTE
from mfp_model.errors import MfpError

_OPEN_ROUTES = ("/health",)
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def add_guard(
    app: Flask, telemetry: Telemetry, *, doorkeeper: Doorkeeper, max_request_mb: float
) -> None:
    """Guard all routes of the application.

    Args:
        app: The application.
        telemetry: Counts requests and errors.
        doorkeeper: Knows the password.
        max_request_mb: Larger bodies are answered 413.
    """
    app.config["MAX_CONTENT_LENGTH"] = int(max_request_mb * MEGABYTE)

    @app.before_request
    def begin() -> Response | None:
        wanted = request.headers.get("X-Request-ID", "")
        request_id.set(wanted if _REQUEST_ID.fullmatch(wanted) else uuid.uuid4().hex[:12])
        header = {"AUTHORIZATION": request.headers.get("Authorization", "")}
        if request.path in _OPEN_ROUTES or doorkeeper.lets_in(header):
            return None
        telemetry.failed(AccessError(_REFUSAL), during=f"request to {request.path[:80]}")
        answer: Response = jsonify({"error": _REFUSAL, "request_id": request_id.get()})
        answer.status_code = 401
        answer.headers["WWW-Authenticate"] = 'Basic realm="label-studio-mfp"'
        return answer

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = request_id.get()
        response.headers["X-Content-Type-Options"] = "nosniff"
        route = request.url_rule.rule if request.url_rule else "other"
        telemetry.metrics.requests.labels(route, str(response.status_code)).inc()
        return response

    def answer(error: Exception) -> tuple[Response, int]:
        return _error_answer(error, telemetry)

    app.register_error_handler(Exception, answer)


class AccessError(MfpError):
    """A request without the right user name and password."""


_REFUSAL = "user name and password expected (Basic auth, MFP_USERNAME and MFP_PASSWORD)"


def _error_answer(error: Exception, telemetry: Telemetry) -> tuple[Response, int]:
    """Map an error to an answer.

    The page shows nothing of it: any failure of `/predict` looks the same to the annotator, so
    what is not the request's own fault is answered with 200 and no result.
    """
    if isinstance(error, HTTPException) and error.code in (404, 405):
        return jsonify({"error": error.description}), error.code
    message = telemetry.failed(error, during=f"request to {request.path[:80]}")
    told: dict[str, Any] = {"error": message, "request_id": request_id.get()}
    if isinstance(error, HTTPException):
        return jsonify(told), error.code or 500
    if request.path == "/predict":
        telemetry.metrics.clicks.labels("busy" if isinstance(error, BusyError) else "failed").inc()
        if not isinstance(error, RequestError):
            return jsonify({"results": [], **told}), 200
    return jsonify(told), 400 if isinstance(error, MfpError) else 500
