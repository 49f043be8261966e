"""The log: one line an event, each with the id of the request that it belongs to."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="-")

_FIELDS = "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s"


class _WithRequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


def log_config(log_format: str) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes, for the server and gunicorn alike.

    Args:
        log_format: `text`, or `json` for one JSON object a line.
    """
    formatters: dict[str, dict[str, Any]] = {
        "text": {"format": _FIELDS},
        "json": {"()": "pythonjsonlogger.json.JsonFormatter", "fmt": _FIELDS},
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": _WithRequestId}},
        "formatters": {"chosen": formatters[log_format]},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "chosen",
                "filters": ["request"],
            }
        },
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "WARNING", "handlers": [], "propagate": True},
        },
    }
