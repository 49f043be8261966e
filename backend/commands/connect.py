"""`mfp connect`."""

from __future__ import annotations

import argparse
from typing import Any


def add_connect(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add the command."""
    parser = commands.add_parser(
        "connect", help="connect the backend to a project of the Label Studio in the settings"
    )
    parser.add_argument(
        "--backend", required=True, metavar="URL", help="this backend as Label Studio sees it"
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--project", type=int, metavar="ID", help="an existing project")
    which.add_argument(
        "--new",
        metavar="TITLE",
        help="the project of that title, made with a few photos if there is none",
    )
    parser.set_defaults(run=_connect)


def _connect(options: argparse.Namespace) -> None:
    from backend.demo.project import demo_project
    from backend.label_studio.api import label_studio_api
    from backend.settings import Settings

    settings = Settings.from_env(options.environment)
    api = label_studio_api(settings)
    project = options.project or demo_project(api, options.new)
    api.connect_backend(
        project,
        options.backend.rstrip("/"),
        username=settings.username,
        password=settings.password,
    )
    print(f"{settings.label_studio_url}/projects/{project}/data")
