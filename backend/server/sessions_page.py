"""How people clicked, made when somebody asks for it."""

from __future__ import annotations

import threading

from werkzeug.exceptions import ServiceUnavailable

from backend.recording.sessions_report_apart import report_page_apart
from backend.server.service import Service

_making = threading.Lock()  # it reads the whole file: one at a time


def render_sessions(service: Service) -> str | None:
    """Return the page's HTML, without photos; None where nothing was recorded yet.

    Raises:
        ServiceUnavailable: The page is being made for somebody else.
        StorageError: What was recorded cannot be read.
    """
    if not service.state.has_sessions:
        return None
    if not _making.acquire(blocking=False):
        raise ServiceUnavailable("the page of sessions is being made: try again in some seconds")
    try:
        return report_page_apart(service.state.places, label_studio_url=service.label_studio_url)
    finally:
        _making.release()
