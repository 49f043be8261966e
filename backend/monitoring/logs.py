"""The log: one line an event, each with the id of the request that it belongs to."""

from __future__ import annotations

import logging
import unicodedata
from contextvars import ContextVar
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="-")

_FIELDS = "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s"


class _WithRequestId(logging.Filter):
    """Adds the request's id, and lets no message begin a line of its own or steer a terminal."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        record.msg, record.args = printable(record.getMessage()), ()
        return True


class _TextFormatter(logging.Formatter):
    """Indents tracebacks, so that none of their lines looks like one of the log."""

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, as logging has it
        lines = super().formatException(ei).split("\n")
        return "\n".join(f"    {printable(line)}" for line in lines)


def printable(text: str) -> str:
    """Return a text with its control characters, and those that turn its direction, escaped."""
    if text.isprintable():
        return text
    return "".join(
        letter if unicodedata.category(letter)[0] not in "CZ" or letter == " " else _escaped(letter)
        for letter in text
    )


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", errors="surrogatepass").decode("ascii")


def log_config(log_format: str) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes, for the server and gunicorn alike.

    Args:
        log_format: `text`, or `json` for one JSON object a line.
    """
    formatters: dict[str, dict[str, Any]] = {
        "text": {"()": _TextFormatter, "fmt": _FIELDS},
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
            "waitress": {"level": "INFO"},
            "waitress.queue": {"level": "ERROR"},
            "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "WARNING", "handlers": [], "propagate": True},
        },
    }
