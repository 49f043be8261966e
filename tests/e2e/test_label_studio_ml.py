"""The class for label-studio-ml, in an environment of its own with version 1.0.9 from PyPI."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from backend.demo.processes import TOKEN, Server, free_port, start_server
from backend.label_studio.api import LabelStudioApi
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.label_studio_calls import tasks_of
from tests.e2e.labeling_page import LabelingPage

_PYTHON = ROOT / ".venv-label-studio-ml" / "bin" / "python"
_SERVE = """
from importlib.metadata import version
from label_studio_ml.api import init_app
from backend.server.label_studio_ml import MfpBackend
assert (version("label-studio-ml"), version("flask")) == ("1.0.9", "1.1.2")
init_app(MfpBackend, model_dir={folder!r}).run(host="127.0.0.1", port={port}, threaded=True)
"""


@pytest.fixture(scope="module")
def served(label_studio: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert _PYTHON.exists(), f"{_PYTHON} is missing: run `make test`, which builds it"
    folder, port = tmp_path_factory.mktemp("label-studio-ml"), free_port()
    url = f"http://127.0.0.1:{port}"
    server = start_server(
        "label-studio-ml",
        [str(_PYTHON), "-c", _SERVE.format(folder=str(folder), port=port)],
        {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": TOKEN},
        url=url,
        log=folder / "log",
    )
    with server.running(limit_s=60):
        yield url


@pytest.mark.browser
def test_the_page_gets_masks_from_it(page: LabelingPage, api: LabelStudioApi, served: str) -> None:
    config = (ROOT / "label_config" / "one_class.xml").read_text()
    project = api.create_project("label-studio-ml", config)
    api.upload(project, [PHOTOS / "coffee.jpg"])
    api.connect_backend(project, served)
    (task,) = tasks_of(api, project)
    page.open_task(project, task["id"])
    page.switch_on_clicking()
    (row,) = page.click(48, 60)["data"]["result"]
    assert row["type"] == "brushlabels"
    (again,) = page.click(60, 60)["data"]["result"]
    assert again["value"]["rle"] != row["value"]["rle"]


def test_projects_with_other_configurations_are_not_mixed_up(
    served: str, capture: Callable[[str], Any]
) -> None:
    setup = capture("setup")
    assert requests.post(f"{served}/setup", json=setup, timeout=60).ok
    answers = []
    for name in ("predict_first_click", "predict_keypoint_without_labels"):
        body = capture(name)
        body["tasks"][0]["data"]["image"] = _photo()
        for point in body["params"]["context"]["result"]:
            point.update(original_width=600, original_height=400)
        answer = requests.post(f"{served}/predict", json=body, timeout=60).json()
        answers.append(answer["results"][0]["result"][0]["value"]["brushlabels"])
    assert answers == [["Object"], ["Cat"]]


def test_what_goes_wrong_is_an_empty_answer(served: str, capture: Callable[[str], Any]) -> None:
    body = capture("predict_first_click")
    body["tasks"][0]["data"]["image"] = "ftp://host/a.png"
    answer = requests.post(f"{served}/predict", json=body, timeout=60)
    assert answer.status_code == 200
    assert answer.json()["results"] == []


def _photo() -> str:
    content = (PHOTOS / "coffee.jpg").read_bytes()
    return "data:image/jpeg;base64," + base64.b64encode(content).decode()
