"""What a team needs of the real Label Studio: a password, cloud storage, several at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from backend.cli import main
from backend.demo.processes import TOKEN, Server, free_port, start_backend
from backend.label_studio.api import LabelStudioApi
from tests.buckets import s3_server
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.label_studio_calls import tasks_of
from tests.e2e.labeling_page import LabelingPage

pytestmark = pytest.mark.browser

_LEGACY = {"Authorization": f"Token {TOKEN}"}
_KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
_REGION = "eu-central-1"
_AUTH = ("team", "pass word:ü")
_CONFIG = (ROOT / "label_config" / "one_class.xml").read_text()


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """A stand-in for S3 with a photo in a bucket; yields its address."""
    with s3_server(_REGION) as (url, client):
        client.create_bucket(
            Bucket="photos", CreateBucketConfiguration={"LocationConstraint": _REGION}
        )
        client.put_object(
            Bucket="photos", Key="set 1/coffee.jpg", Body=(PHOTOS / "coffee.jpg").read_bytes()
        )
        yield url


@pytest.fixture(scope="module")
def guarded(label_studio: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_backend(
        tmp_path_factory.mktemp("guarded") / "backend.log",
        port=free_port(),
        label_studio_url=label_studio.url,
        settings={
            "MFP_USERNAME": _AUTH[0],
            "MFP_PASSWORD": _AUTH[1],
            "MFP_IMAGE_HOSTS": "127.0.0.1",
            "MFP_PRIVATE_NETWORKS": "127.0.0.0/8",
        },
    )
    with server.running(limit_s=60):
        yield server


def _connected(api: LabelStudioApi, title: str, server: Server) -> int:
    project = api.create_project(title, _CONFIG)
    api.connect_backend(project, server.url, username=_AUTH[0], password=_AUTH[1])
    return project


def _metrics(server: Server) -> str:
    return requests.get(f"{server.url}/metrics", auth=_encoded(), timeout=30).text


def _webhooks(server: Server) -> float:
    """How many were accepted so far."""
    counted = 'mfp_requests_total{route="/webhook",status="200"} '
    lines = [line for line in _metrics(server).splitlines() if line.startswith(counted)]
    return float(lines[0].split()[-1]) if lines else 0.0


def _wait_for_webhook(server: Server, before: float) -> None:
    until = time.monotonic() + 20
    while _webhooks(server) <= before:
        assert time.monotonic() < until, _metrics(server)
        time.sleep(0.2)


def _encoded() -> tuple[bytes, bytes]:
    """As browsers and Label Studio send it; `requests` itself would take Latin-1."""
    return _AUTH[0].encode(), _AUTH[1].encode()


@pytest.mark.parametrize("presign", [True, False], ids=["redirected", "passed on"])
def test_a_photo_in_cloud_storage_is_clicked_on(
    page: LabelingPage,
    api: LabelStudioApi,
    label_studio: Server,
    guarded: Server,
    storage: str,
    presign: bool,
) -> None:
    project = _connected(api, f"cloud {presign}", guarded)
    settings = {
        **_KEYS,
        "project": project,
        "bucket": "photos",
        "region_name": _REGION,
        "s3_endpoint": storage,
        "presign": presign,
        "use_blob_urls": True,
        "recursive_scan": True,
        "title": "cloud",
    }
    made = _post(label_studio, "/api/storages/s3/", settings)
    task = _synchronized(label_studio, made["id"], api, project)
    page.open_task(project, task["id"])
    page.switch_on_clicking()
    answer = page.click(48, 60)
    (row,) = answer["data"]["result"]
    assert (row["original_width"], row["original_height"]) == (600, 400)
    assert row["type"] == "brushlabels"


def test_every_call_of_label_studio_brings_the_password(
    page: LabelingPage, api: LabelStudioApi, guarded: Server
) -> None:
    project = _connected(api, "guarded", guarded)
    api.upload(project, [PHOTOS / "cat.jpg"])
    (task,) = tasks_of(api, project)
    page.open_task(project, task["id"])
    page.switch_on_clicking()
    assert page.click(50, 50)["data"]["result"]
    page.accept()
    before = _webhooks(guarded)
    page.submit()
    _wait_for_webhook(guarded, before)
    assert 'status="401"' not in _metrics(guarded)


def test_credentials_in_the_address_reach_webhooks_too(
    api: LabelStudioApi, label_studio: Server, guarded: Server
) -> None:
    project = api.create_project("credentials in the address", _CONFIG)
    user, password = (quote(part, safe="") for part in _AUTH)
    api.connect_backend(project, guarded.url.replace("//", f"//{user}:{password}@"))
    api.upload(project, [PHOTOS / "cat.jpg"])
    (task,) = tasks_of(api, project)
    before = _webhooks(guarded)
    _post(label_studio, f"/api/tasks/{task['id']}/annotations/", {"result": []})
    _wait_for_webhook(guarded, before)
    assert 'status="401"' not in _metrics(guarded)


def test_the_command_connects_a_project_and_does_so_again(
    api: LabelStudioApi,
    label_studio: Server,
    guarded: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in (
        ("LABEL_STUDIO_URL", label_studio.url),
        ("LABEL_STUDIO_API_KEY", TOKEN),
        ("MFP_USERNAME", _AUTH[0]),
        ("MFP_PASSWORD", _AUTH[1]),
    ):
        monkeypatch.setenv(name, value)
    for _ in range(2):
        assert (
            main(["connect", "--backend", f"{guarded.url}/", "--new", "made by mfp connect"]) == 0
        )
    project = api.project_named("made by mfp connect")
    assert project is not None
    assert f"/projects/{project}/data" in capsys.readouterr().out
    assert len(tasks_of(api, project)) > 1
    connected = requests.get(
        f"{label_studio.url}/api/ml/?project={project}", headers=_LEGACY, timeout=60
    ).json()
    assert [(backend["url"], backend["state"]) for backend in connected] == [(guarded.url, "CO")]
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "")
    assert main(["connect", "--backend", guarded.url, "--project", str(project)]) == 1
    assert "expected both" in capsys.readouterr().err


def test_two_annotators_at_once_get_each_their_own(
    page: LabelingPage, other_page: LabelingPage, api: LabelStudioApi, guarded: Server
) -> None:
    project = _connected(api, "two annotators", guarded)
    api.upload(project, [PHOTOS / "coffee.jpg"])
    (task,) = tasks_of(api, project)
    pages = (page, other_page)
    for tab in pages:
        tab.open_task(project, task["id"])
        tab.switch_on_clicking()
    places = [[(48, 35), (60, 60)], [(85, 15), (90, 20)]]
    for turn in range(2):  # both click before either is answered
        for tab, clicks in zip(pages, places, strict=True):
            tab.start_click(*clicks[turn])
        for tab in pages:
            tab.finish_click()
    for tab, clicks in zip(pages, places, strict=True):
        points = tab.asked[-1]["context"]["result"]
        assert [round(point["value"]["x"]) for point in points] == [x for x, _ in clicks]
        assert tab.answers[-1]["data"]["result"]
    outcome = [line for line in _metrics(guarded).splitlines() if "superseded" in line]
    assert not any(line.startswith("mfp_clicks_total") for line in outcome)


def _synchronized(
    studio: Server, storage: int, api: LabelStudioApi, project: int
) -> dict[str, Any]:
    """Synchronize a storage until its one task is there; the first time may find none."""
    until = time.monotonic() + 60
    while True:
        _post(studio, f"/api/storages/s3/{storage}/sync", {})
        if tasks := tasks_of(api, project):
            (task,) = tasks
            return task
        assert time.monotonic() < until
        time.sleep(1)


def _post(server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = requests.post(server.url + path, headers=_LEGACY, json=body, timeout=60)
    assert answer.ok, answer.text
    return dict(answer.json())
