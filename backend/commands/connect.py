"""`mfp connect`: connects the backend to a project of Label Studio."""

from __future__ import annotations

import argparse

from backend.commands.options import add_project
from backend.commands.parsing import Commands, web_address
from backend.commands.printing import note


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "connect", "connect the backend to a project of the settings' Label Studio", _connect
    )
    parser.add_argument(
        "--backend",
        type=web_address,
        required=True,
        metavar="URL",
        help="this backend's address as Label Studio sees it",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    add_project(which, "an existing project")
    which.add_argument(
        "--new",
        metavar="TITLE",
        help="the project of that title, made with a few photos if there is none",
    )


def _connect(options: argparse.Namespace) -> None:
    from backend.demo.demo_project import demo_project
    from backend.images.address import public_address
    from backend.label_studio.api import label_studio_api

    settings = options.settings
    api = label_studio_api(settings)
    project = options.project or demo_project(api, options.new)
    before = api.connect_backend(
        project, options.backend, username=settings.username, password=settings.password
    )
    if before not in ("", options.backend):
        note(f"project {project} was connected to {public_address(before)}, and is no more")
    print(f"{settings.label_studio_page}/projects/{project}/data")
