"""For gunicorn: `gunicorn "backend.wsgi:application()"`. `mfp serve` does the same."""

from __future__ import annotations

import logging
import os

from flask import Flask

from backend.app import create_app
from backend.settings import Settings


def application() -> Flask:
    """Return the application with settings from the environment.

    Raises:
        ConfigError: A setting is wrong.
        CheckpointError: The weights' file is missing or damaged.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    return create_app(Settings.from_env(os.environ))
