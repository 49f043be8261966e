"""The Flask application."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from backend.models.served import ServedModels
from backend.server.guard import add_guard
from backend.server.routes import add_routes
from backend.server.service import Service, create_service
from backend.settings import Settings


def create_app(
    settings: Settings, *, models: ServedModels | None = None, shared_dir: Path | None = None
) -> Flask:
    """Return the application; arguments and errors as in `create_service`."""
    return make_app(settings, create_service(settings, models=models, shared_dir=shared_dir))


def make_app(settings: Settings, service: Service) -> Flask:
    """Return the application around a service."""
    app = Flask("backend.server")
    add_guard(app, service.telemetry, settings)
    add_routes(app, service)
    return app
