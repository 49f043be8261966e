"""Images of the real Label Studio, with either kind of token."""

from __future__ import annotations

from functools import partial

import pytest
import requests

from backend.demo.processes import TOKEN, Server
from backend.images.decoding import decode_image
from backend.images.loader import ImageLoader
from backend.images.sources import ImageSources
from backend.images.web import FetchLimits, WebFetcher
from backend.label_studio.access import LabelStudioAccess
from backend.label_studio.api import LabelStudioApi
from mfp_model.errors import ImageError
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.label_studio_calls import tasks_of

_LEGACY = {"Authorization": f"Token {TOKEN}"}


def _loader(server: Server, key: str) -> ImageLoader:
    access = LabelStudioAccess(url=server.url, api_key=key, timeout_s=30)
    limits = FetchLimits(max_bytes=10_000_000, timeout_s=30, total_s=60)
    sources = ImageSources(
        WebFetcher(access, limits), label_studio_url=server.url, max_bytes=10_000_000
    )
    return ImageLoader(
        sources, decode=partial(decode_image, max_megapixels=50), cache_bytes=0, cache_age_s=1
    )


@pytest.fixture(scope="module")
def personal_token(label_studio: Server) -> str:
    answer = requests.post(f"{label_studio.url}/api/token/", headers=_LEGACY, timeout=30)
    assert answer.ok, answer.text
    return str(answer.json()["token"])


@pytest.fixture(scope="module")
def project(label_studio: Server, api: LabelStudioApi) -> int:
    """A project with an upload and a local-files storage."""
    project = api.create_project("images", (ROOT / "label_config" / "one_class.xml").read_text())
    api.upload(project, [PHOTOS / "cat.jpg"])
    storage = {"project": project, "path": str(PHOTOS), "use_blob_urls": True, "title": "photos"}
    answer = requests.post(
        f"{label_studio.url}/api/storages/localfiles", headers=_LEGACY, json=storage, timeout=30
    )
    assert answer.ok, answer.text
    return project


def _addresses(api: LabelStudioApi, project: int) -> list[str]:
    (task,) = tasks_of(api, project)
    return [task["data"]["image"], "/data/local-files/?d=photos/dogs.jpg"]


def test_uploads_and_local_files_load_with_a_legacy_token(
    label_studio: Server, api: LabelStudioApi, project: int
) -> None:
    sizes = [
        _loader(label_studio, TOKEN).load(a, task_id="1").pixels.shape
        for a in _addresses(api, project)
    ]
    assert sizes == [(300, 451, 3), (1400, 932, 3)]


def test_and_with_a_personal_access_token(
    label_studio: Server, api: LabelStudioApi, project: int, personal_token: str
) -> None:
    loader = _loader(label_studio, personal_token)
    sizes = [loader.load(address, task_id="1").pixels.shape for address in _addresses(api, project)]
    assert sizes == [(300, 451, 3), (1400, 932, 3)]


def test_without_a_token_the_error_says_what_to_set(
    label_studio: Server, api: LabelStudioApi, project: int
) -> None:
    with pytest.raises(ImageError, match="set LABEL_STUDIO_API_KEY"):
        _loader(label_studio, "").load(_addresses(api, project)[0], task_id="1")
