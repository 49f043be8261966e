"""Calls of Label Studio's API that only tests need."""

from __future__ import annotations

from typing import Any

import requests

from backend.label_studio.api import LabelStudioApi

_TIMEOUT_S = 60


def tasks_of(api: LabelStudioApi, project: int) -> list[dict[str, Any]]:
    """The first hundred of the project's tasks with their annotations, in order."""
    answer = _call(api, "GET", f"/api/tasks/?project={project}&fields=all&page_size=100")
    return sorted(answer["tasks"], key=lambda task: int(task["id"]))


def retrieve_predictions(api: LabelStudioApi, project: int, tasks: list[int]) -> None:
    """Ask the connected backend for predictions of tasks, as the Data Manager does."""
    query = f"id=retrieve_tasks_predictions&project={project}"
    chosen = {"selectedItems": {"all": False, "included": tasks}, "project": str(project)}
    _post(api, f"/api/dm/actions?{query}", chosen)


def add_prediction(api: LabelStudioApi, task: int, prediction: dict[str, Any]) -> None:
    """Store a prediction of a task: `result`, `score` and `model_version`."""
    _post(api, "/api/predictions/", {"task": task, **prediction})


def add_annotation(
    api: LabelStudioApi, task: int, result: list[dict[str, Any]], **more: object
) -> None:
    """Store an annotation of a task, as if somebody had submitted it."""
    _post(api, f"/api/tasks/{task}/annotations/", {"result": result, **more})


def change_annotation(api: LabelStudioApi, annotation: int, result: list[dict[str, Any]]) -> None:
    """Store another result of an annotation, as if somebody had updated it."""
    _call(api, "PATCH", f"/api/annotations/{annotation}/", {"result": result})


def delete_task(api: LabelStudioApi, task: int) -> None:
    """Delete a task."""
    access = api.access
    url = f"{access.url}/api/tasks/{task}/"
    assert requests.delete(url, headers=access.headers(), timeout=_TIMEOUT_S).ok


def change_project(api: LabelStudioApi, project: int, **settings: object) -> None:
    """Change settings of a project."""
    _call(api, "PATCH", f"/api/projects/{project}/", settings)


def invitation(api: LabelStudioApi) -> str:
    """The path at which somebody may sign up."""
    return str(_call(api, "GET", "/api/invite")["invite_url"])


def _post(api: LabelStudioApi, path: str, body: dict[str, Any]) -> None:
    _call(api, "POST", path, body)


def _call(api: LabelStudioApi, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401
    access = api.access
    response = requests.request(
        method, access.url + path, json=body, headers=access.headers(), timeout=_TIMEOUT_S
    )
    assert response.ok, f"{response.status_code} to {path}: {response.text[:300]}"
    return response.json()
