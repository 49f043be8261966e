"""The real Label Studio, the real backend process, a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, sync_playwright

from backend.demo.processes import (
    PASSWORD,
    TOKEN,
    USER,
    Server,
    free_port,
    start_backend,
    start_label_studio,
)
from backend.label_studio.access import LabelStudioAccess
from backend.label_studio.api import LabelStudioApi
from tests.e2e.labeling_page import CHROMIUM, LabelingPage

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "backend" / "demo" / "photos"


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = ROOT / ".venv-label-studio"
    assert environment.exists(), f"{environment} is missing: run `make test`, which builds it"
    data = tmp_path_factory.mktemp("label-studio")
    server = start_label_studio(environment, data, port=free_port(18080), local_files=PHOTOS.parent)
    with server.running(limit_s=300):
        yield server


@pytest.fixture(scope="session")
def backend(label_studio: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("backend") / "backend.log"
    server = start_backend(log, port=free_port(19090), label_studio_url=label_studio.url)
    with server.running(limit_s=60):
        yield server


@pytest.fixture(scope="session")
def api(label_studio: Server) -> LabelStudioApi:
    return LabelStudioApi(LabelStudioAccess(url=label_studio.url, api_key=TOKEN, timeout_s=60))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: install Debian's package chromium")
    with sync_playwright() as running:
        yield running


@pytest.fixture
def page(playwright: Playwright, label_studio: Server) -> Iterator[LabelingPage]:
    yield from _tab(playwright, label_studio)


@pytest.fixture
def other_page(playwright: Playwright, label_studio: Server) -> Iterator[LabelingPage]:
    yield from _tab(playwright, label_studio)


def _tab(playwright: Playwright, label_studio: Server) -> Iterator[LabelingPage]:
    tab = LabelingPage(playwright, label_studio.url, width=1400, height=900)
    try:
        tab.log_in(USER, PASSWORD)
        yield tab
    finally:
        tab.close()
