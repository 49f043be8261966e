"""The few calls of Label Studio's API that are needed here."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from backend.label_studio.access import LabelStudioAccess, LabelStudioRefusedError
from backend.label_studio.calling import call
from backend.label_studio.refusals import of_known_form
from backend.settings import Settings
from mfp_model.errors import ConfigError

_PATIENCE_S = (1.0, 5.0, 20.0, 60.0)
_KEPT_FILE = re.compile(r"parse input file (.+): Your label config has more than one data key")


def label_studio_access(settings: Settings) -> LabelStudioAccess:
    """Return the way to the Label Studio of the settings."""
    return LabelStudioAccess(
        url=settings.label_studio_url,
        api_key=settings.label_studio_api_key,
        ca_bundle=settings.ca_bundle,
    )


def label_studio_api(settings: Settings) -> LabelStudioApi:
    """Return the API of the Label Studio of the settings.

    Raises:
        ConfigError: The settings name none, or no token.
    """
    if not settings.label_studio_url or not settings.label_studio_api_key:
        raise ConfigError("LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY: expected both")
    return LabelStudioApi(label_studio_access(settings), page_url=settings.label_studio_page)


@dataclass(frozen=True, slots=True)
class LabelStudioApi:
    """One Label Studio as a user of it.

    Attributes:
        access: The way to it.
        waits_s: How long to wait before each further try.
        page_url: Where people reach it; empty where that is the same.
    """

    access: LabelStudioAccess
    waits_s: tuple[float, ...] = ()
    page_url: str = ""

    def patient(self) -> LabelStudioApi:
        """Return the same Label Studio, asked again for a minute and a half while it is away.

        That is for work of hours. What must not be done twice is sent again only where it was
        not done the first time.
        """
        return replace(self, waits_s=_PATIENCE_S)

    def project_named(self, title: str) -> int | None:
        """Return the id of the project with this title, or None."""
        words = urlencode({"page_size": 100, "title": title})  # which is found in longer ones, too
        projects = self._call("GET", f"/api/projects/?{words}")
        with of_known_form(self.access.url):
            return next((int(p["id"]) for p in projects["results"] if p["title"] == title), None)

    def create_project(self, title: str, label_config: str) -> int:
        """Return the id of a new project."""
        project = {"title": title, "label_config": label_config}
        made = self._call("POST", "/api/projects/", body=project)
        with of_known_form(self.access.url):
            return int(made["id"])

    def upload(self, project: int, photos: Iterable[Path]) -> None:
        """Make a task of each photo."""
        for photo in photos:
            files = {photo.name: photo.read_bytes()}
            self._call("POST", f"/api/projects/{project}/import", files=files)

    def upload_file(self, project: int, path: Path) -> str:
        """Upload an image without making a task of it, and return its address."""
        below = urlsplit(self.page_url or self.access.url).path.rstrip("/")
        return f"{below}/data/{self._uploaded(project, path)}"

    def _uploaded(self, project: int, path: Path) -> str:
        """A new file's path among the uploads.

        For a project of several images a task Label Studio keeps the file, too, before it refuses
        to make a task of it.
        """
        importing = f"/api/projects/{project}/import?commit_to_project=false"
        files = {path.name: path.read_bytes()}
        try:
            uploaded = self._call("POST", importing, files=files, is_harmless=True)
        except LabelStudioRefusedError as refusal:
            if kept := _KEPT_FILE.search(str(refusal)):
                return f"upload/{project}/{kept[1]}"
            raise
        with of_known_form(self.access.url):
            number = int(uploaded["file_upload_ids"][0])
            return str(self._call("GET", f"/api/import/file-upload/{number}")["file"])

    def import_tasks(self, project: int, tasks: list[dict[str, Any]]) -> None:
        """Make tasks, with their predictions and annotations."""
        self._call("POST", f"/api/projects/{project}/import", body=tasks)

    def add_prediction(self, prediction: dict[str, Any]) -> None:
        """Store a prediction, which names its `task`."""
        self._call("POST", "/api/predictions/", body=prediction)

    def show_predictions(self, project: int, version: str) -> None:
        """Let a project show the predictions of a model version, and sort by their scores."""
        self._call("PATCH", f"/api/projects/{project}/", body={"model_version": version})

    def add_tab(self, project: int, title: str, *, ordering: str) -> None:
        """Give a project's Data Manager a tab that sorts its tasks, unless it has one so named.

        Args:
            project: The project's id.
            title: The tab's.
            ordering: The column, such as `tasks:predictions_score`.
        """
        tabs = self._call("GET", f"/api/dm/views/?project={project}")
        with of_known_form(self.access.url):
            if any(tab["data"].get("title") == title for tab in tabs):
                return
        made = [{"title": title, "ordering": [ordering]}]
        if not tabs:  # what the page makes for a project that it shows the first time
            made.insert(0, {"title": "Default"})
        for data in made:
            body = {"project": project, "data": data}
            self._call("POST", "/api/dm/views/", body=body, is_harmless=True)

    def data_values(self, project: int, key: str) -> set[str]:
        """Return the values that a key of the tasks' data has in a project."""
        values, after = set(), -1
        while rows := self._after(project, after, limit=500, fields="task_only")["tasks"]:
            after = int(rows[-1]["id"])
            with of_known_form(self.access.url):
                values |= {str(row["data"][key]) for row in rows if key in row["data"]}
        return values

    def connect_backend(
        self, project: int, url: str, *, username: str = "", password: str = ""
    ) -> str:
        """Connect the backend at `url` for interactive use, or change how it is connected.

        A project has one backend.

        Args:
            project: The project's id.
            url: The backend's address as Label Studio sees it.
            username: For Basic auth.
            password: For Basic auth; empty for none.

        Returns:
            The address of the backend that was connected before; empty for none.
        """
        about = {"url": url, "project": project, "title": "MFP", "is_interactive": True}
        basic = {"basic_auth_user": username, "basic_auth_pass": password}
        backend = {**about, "auth_method": "BASIC_AUTH", **basic} if password else about
        connected = self._call("GET", f"/api/ml/?project={project}")
        with of_known_form(self.access.url):
            before = [(int(entry["id"]), str(entry["url"])) for entry in connected]
        if before:
            self._call("PATCH", f"/api/ml/{before[0][0]}", body=backend)
        else:
            self._call("POST", "/api/ml/", body=backend)
        if password:
            self._authorize_webhooks(project, f"{url}/webhook", f"{username}:{password}")
        return before[0][1] if before else ""

    def _authorize_webhooks(self, project: int, url: str, credentials: str) -> None:
        """Label Studio makes a webhook with the connection, and leaves its credentials out."""
        encoded = base64.b64encode(credentials.encode()).decode()
        for webhook in self._call("GET", f"/api/webhooks/?project={project}"):
            if webhook["url"] == url:
                headers = {**(webhook["headers"] or {}), "Authorization": f"Basic {encoded}"}
                self._call("PATCH", f"/api/webhooks/{webhook['id']}/", body={"headers": headers})

    def label_config(self, project: int) -> str:
        """Return the project's label configuration, XML."""
        about = self._call("GET", f"/api/projects/{project}/")
        with of_known_form(self.access.url):
            return str(about["label_config"])

    def tasks_after(self, project: int, task: int, *, limit: int) -> list[dict[str, Any]]:
        """Return the next tasks by id, with annotations, everybody's drafts, and predictions.

        Asked by id and not by page, so that tasks that come or go meanwhile shift nothing.

        Args:
            project: The project's id.
            task: Only tasks with a higher id.
            limit: How many at most.
        """
        rows = self._after(project, task, limit=limit)["tasks"]
        return [
            self._with_all_drafts(project, row) if row.get("draft_exists") else row for row in rows
        ]

    def _with_all_drafts(self, project: int, task: dict[str, Any]) -> dict[str, Any]:
        """A list of tasks has the drafts of the token's user only."""
        number = int(task["id"])
        try:
            drafts = self._call("GET", f"/api/tasks/{number}/drafts")
        except LabelStudioRefusedError:  # there is no such task any more
            return task
        if not drafts:  # submitted since it was listed
            again = self._after(project, number - 1, limit=1)["tasks"]
            return next((row for row in again if int(row["id"]) == number), task)
        with of_known_form(self.access.url):
            return {**task, "drafts": list(drafts)}

    def n_tasks(self, project: int) -> int:
        """Return how many tasks the project has."""
        return int(self._after(project, -1, limit=1, fields="task_only")["total"])

    def _after(self, project: int, task: int, *, limit: int, fields: str = "all") -> dict[str, Any]:
        higher = {"filter": "filter:tasks:id", "operator": "greater", "value": task}
        query = {
            "filters": {"conjunction": "and", "items": [{**higher, "type": "Number"}]},
            "ordering": ["tasks:id"],
        }
        parameters = urlencode({"project": project, "page_size": limit, "query": json.dumps(query)})
        answer = self._call("GET", f"/api/tasks/?{parameters}&fields={fields}")
        with of_known_form(self.access.url):
            rows = [dict(row) for row in answer["tasks"]]
            numbers = [task, *(int(row["id"]) for row in rows)]
            if any(low >= high for low, high in pairwise(numbers)):
                raise ValueError("other tasks than those asked for")  # and so for ever
            return {"tasks": rows, "total": int(answer["total"])}

    def _call(self, method: str, path: str, **content: Any) -> Any:  # noqa: ANN401, see `call`
        return call(self.access, method, path, waits_s=self.waits_s, **content)
