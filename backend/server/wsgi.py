"""For a WSGI server of your own: `gunicorn "backend.server.wsgi:application()"`, with one worker.

`mfp serve` does more: it adds up the metrics of several workers and checks the address.
"""

from __future__ import annotations

import logging.config
import os

from flask import Flask

from backend.monitoring.logs import log_config
from backend.server.app import create_app
from backend.settings import Settings


def application() -> Flask:
    """Return the application with settings from the environment.

    Raises:
        ConfigError: A setting is wrong.
        CheckpointError: The weights' file is missing or damaged.
    """
    settings = Settings.from_env(os.environ)
    logging.config.dictConfig(log_config(settings.log_format))
    return create_app(settings)
