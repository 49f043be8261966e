"""The real Label Studio, the real backend process, a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

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
from tests.browser import log_in, new_person, running_browser
from tests.e2e.labeling_page import LabelingPage

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "backend" / "demo" / "photos"


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = ROOT / ".venv-label-studio"
    assert environment.exists(), f"{environment} is missing: run `make test`, which builds it"
    data = tmp_path_factory.mktemp("label-studio")
    server = start_label_studio(environment, data, port=free_port(), local_files=PHOTOS.parent)
    with server.running(limit_s=300):
        yield server


@pytest.fixture(scope="session")
def backend(label_studio: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("backend") / "backend.log"
    server = start_backend(log, port=free_port(), label_studio_url=label_studio.url)
    with server.running(limit_s=60):
        yield server


@pytest.fixture(scope="session")
def api(label_studio: Server) -> LabelStudioApi:
    return LabelStudioApi(LabelStudioAccess(url=label_studio.url, api_key=TOKEN, timeout_s=60))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="session")
def annotator(browser: Browser, label_studio: Server) -> BrowserContext:
    """Somebody who is logged in; the tabs share what was loaded before."""
    return logged_in(browser, label_studio)


@pytest.fixture
def page(annotator: BrowserContext, label_studio: Server) -> Iterator[LabelingPage]:
    tab = LabelingPage(annotator, label_studio.url)
    tab.forget_switches()
    yield tab
    tab.close()


@pytest.fixture
def other_page(browser: Browser, label_studio: Server) -> Iterator[LabelingPage]:
    """The same person at another machine."""
    person = logged_in(browser, label_studio)
    yield LabelingPage(person, label_studio.url)
    person.close()


@pytest.fixture(scope="session")
def tab(browser: Browser, label_studio: Server) -> Iterator[LabelingPage]:
    """A tab with a touch screen that tests share, each with a project of its own."""
    person = logged_in(browser, label_studio, has_touch=True)
    yield LabelingPage(person, label_studio.url)
    person.close()


def logged_in(browser: Browser, studio: Server, *, has_touch: bool = False) -> BrowserContext:
    person = new_person(browser, has_touch=has_touch)
    log_in(person, studio.url, USER, PASSWORD)
    return person
