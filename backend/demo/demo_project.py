"""A project with a few photos."""

from __future__ import annotations

from pathlib import Path

from backend.label_studio.api import LabelStudioApi

_PHOTOS = Path(__file__).parent / "photos"
_LABEL_CONFIGS = Path(__file__).parents[2] / "label_config"


def demo_project(api: LabelStudioApi, title: str) -> int:
    """Return the id of the project with this title, made if need be, with photos in it.

    It is made for work with Auto-Accept on, which each annotator switches on in the page.
    """
    project = api.project_named(title)
    if project is None:
        project = api.create_project(title, (_LABEL_CONFIGS / "auto_accept.xml").read_text())
    if not api.n_tasks(project):
        api.upload(project, sorted(_PHOTOS.glob("*.jpg")))
    return project
