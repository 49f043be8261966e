"""What holds for every route: request ids, access control, size limit, errors to answers."""

from __future__ import annotations

import re
import threading
import time
import uuid
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from backend.answering.turns import BusyError
from backend.label_studio.points import RequestError
from backend.models.served import NotReadyError
from backend.monitoring.logs import request_id
from backend.monitoring.telemetry import Telemetry
from backend.server.browsers import (
    RefusedError,
    add_headers,
    check_content_type,
    check_host,
    check_origin,
)
from backend.server.doorkeeper import BASIC_CHALLENGE, Doorkeeper
from backend.settings import MEGABYTE, Settings
from backend.storage.errors import StorageError
from mfp_model.errors import MfpError

_OPEN_ROUTES = ("/health", "/ready")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_WRONG_PASSWORD_S = 0.5
_MAX_DELAYED = 2  # threads that wait at a time; further wrong passwords are answered at once


def add_guard(app: Flask, telemetry: Telemetry, settings: Settings) -> None:
    """Guard all routes of the application.

    Args:
        app: The application.
        telemetry: Counts requests and errors.
        settings: Names the password, hosts and the largest body.
    """
    app.config["MAX_CONTENT_LENGTH"] = int(settings.max_request_mb * MEGABYTE)
    is_open = not settings.asks_for_password
    doorkeeper = Doorkeeper(settings.username, settings.password)
    delays = threading.BoundedSemaphore(_MAX_DELAYED)

    @app.before_request
    def begin() -> None:
        wanted = request.headers.get("X-Request-ID", "")
        request_id.set(wanted if _REQUEST_ID.fullmatch(wanted) else uuid.uuid4().hex[:12])
        check_host(request, settings.allowed_hosts, is_open=is_open)
        check_origin(request)
        if request.path not in _OPEN_ROUTES:
            _check_password(doorkeeper, delays)
        check_content_type(request)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = request_id.get()
        add_headers(response, request.path)
        route = request.url_rule.rule if request.url_rule else "other"
        telemetry.metrics.requests.labels(route, str(response.status_code)).inc()
        return response

    def answer(error: Exception) -> tuple[Response, int]:
        return _error_answer(error, telemetry)

    app.register_error_handler(Exception, answer)


def _check_password(doorkeeper: Doorkeeper, delays: threading.BoundedSemaphore) -> None:
    """Let the right password pass at once; a wrong one waits, so that few can be tried.

    Raises:
        AccessError: It is wrong, or missing.
    """
    sent = request.headers.get("Authorization", "")
    if doorkeeper.lets_in({"AUTHORIZATION": sent}):
        return
    if sent:
        if not delays.acquire(blocking=False):
            raise TooManyTriesError("too many wrong passwords at a time: try again")
        try:
            time.sleep(_WRONG_PASSWORD_S)
        finally:
            delays.release()
    raise AccessError("user name and password expected (Basic auth, MFP_USERNAME and MFP_PASSWORD)")


class AccessError(RefusedError):
    """A request without the right user name and password."""

    status = 401


class TooManyTriesError(RefusedError):
    """A wrong password while others are being refused."""

    status = 429


def _error_answer(error: Exception, telemetry: Telemetry) -> tuple[Response, int]:
    """Map an error to an answer.

    The page shows nothing of it: any failure of `/predict` looks the same to the annotator, so
    what is not the request's own fault is answered with 200 and no result. While weights are not
    loaded it is 503, for which a load balancer asks another front.
    """
    if isinstance(error, RefusedError):
        return _refusal(error, telemetry)
    if isinstance(error, HTTPException) and error.code in (404, 405, 503):
        return jsonify({"error": error.description}), error.code
    message = telemetry.failed(error, during=f"request to {request.path[:80]}")
    body: dict[str, Any] = {"error": message, "request_id": request_id.get()}
    if isinstance(error, HTTPException):
        return jsonify(body), error.code or 500
    if request.path == "/predict":
        telemetry.metrics.clicks.labels("busy" if isinstance(error, BusyError) else "failed").inc()
        if not isinstance(error, RequestError):
            status = 503 if isinstance(error, NotReadyError) else 200
            return jsonify({"results": [], **body}), status
    if isinstance(error, StorageError):  # locked, full or away: not this request's fault
        return jsonify(body), 503
    return jsonify(body), 400 if isinstance(error, MfpError) else 500


def _refusal(error: RefusedError, telemetry: Telemetry) -> tuple[Response, int]:
    """Refusals are counted and not listed: else anybody could push all real errors off the page."""
    telemetry.refused(error, during=f"request to {request.path[:80]}")
    answer: Response = jsonify({"error": str(error), "request_id": request_id.get()})
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = BASIC_CHALLENGE
    return answer, error.status
