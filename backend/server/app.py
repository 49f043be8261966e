"""The Flask application."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from backend.models.served import ModelSlot
from backend.server.guard import add_guard
from backend.server.routes import add_routes
from backend.server.service import create_service
from backend.settings import Settings


def create_app(
    settings: Settings, *, slot: ModelSlot | None = None, shared_dir: Path | None = None
) -> Flask:
    """Return the application; arguments and errors as in `create_service`."""
    service = create_service(settings, slot=slot, shared_dir=shared_dir)
    app = Flask("backend.server")
    add_guard(
        app,
        service.telemetry,
        username=settings.username,
        password=settings.password,
        max_request_mb=settings.max_request_mb,
    )
    add_routes(app, service)
    return app
