"""The few calls of Label Studio's API that setting up a project takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from backend.label_studio_access import LabelStudioError

_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStudioApi:
    """One Label Studio and the token of a user."""

    url: str
    token: str

    def project_named(self, title: str) -> int | None:
        """Return the id of the project with this title, or None."""
        projects = self._call("GET", "/api/projects/?page_size=100")["results"]
        return next((int(p["id"]) for p in projects if p["title"] == title), None)

    def create_project(self, title: str, label_config: str) -> int:
        """Return the id of a new project."""
        project = {"title": title, "label_config": label_config}
        return int(self._call("POST", "/api/projects/", json=project)["id"])

    def upload(self, project: int, photos: Iterable[Path]) -> None:
        """Make a task of each photo."""
        for photo in photos:
            with photo.open("rb") as file:
                self._call("POST", f"/api/projects/{project}/import", files={photo.name: file})

    def connect_backend(self, project: int, url: str) -> None:
        """Connect the backend at `url` for interactive use, or change its address."""
        backend = {"url": url, "project": project, "title": "MFP", "is_interactive": True}
        connected = self._call("GET", f"/api/ml/?project={project}")
        if connected:
            self._call("PATCH", f"/api/ml/{connected[0]['id']}", json=backend)
        else:
            self._call("POST", "/api/ml/", json=backend)

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """Return the project's tasks with their annotations, in order."""
        query = f"/api/tasks/?project={project}&fields=all&page_size=100"
        tasks: list[dict[str, Any]] = self._call("GET", query)["tasks"]
        return sorted(tasks, key=lambda task: int(task["id"]))

    def _call(self, method: str, path: str, *, json: object = None, files: object = None) -> Any:  # noqa: ANN401, JSON of any form
        try:
            response = requests.request(
                method,
                self.url + path,
                headers={"Authorization": f"Token {self.token}"},
                timeout=_TIMEOUT_S,
                json=json,
                files=files,  # type: ignore[arg-type]
            )
        except requests.RequestException as error:
            raise LabelStudioError(
                f"Label Studio at {self.url} cannot be reached ({type(error).__name__})"
            ) from None
        if not response.ok:
            raise LabelStudioError(
                f"Label Studio answered {response.status_code} to {method} {path}: "
                f"{response.text[:300]}"
            )
        return response.json()
