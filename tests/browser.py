"""Chromium for tests: started, and logged in to Label Studio."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Playwright,
    ViewportSize,
    sync_playwright,
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_SIZE: ViewportSize = {"width": 1400, "height": 900}
_LIMIT_MS = 60_000


def start_browser(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a browser; where there is none, the test is skipped."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: install Debian's package chromium")
    with sync_playwright() as playwright:
        browser = start_browser(playwright)
        yield browser
        browser.close()


def new_person(browser: Browser, *, has_touch: bool = False) -> BrowserContext:
    """A window with cookies and a cache of its own, as of somebody else at another machine."""
    return browser.new_context(viewport=_SIZE, has_touch=has_touch)


def log_in(person: BrowserContext, url: str, user: str, password: str) -> None:
    """Log a person in without a page: one that is closed while it loads may never be closed."""
    address = f"{url}/user/login/"
    person.request.get(address)
    (token,) = (c["value"] for c in person.cookies(address) if c["name"] == "csrftoken")
    form: dict[str, str | float | bool] = {
        "email": user,
        "password": password,
        "csrfmiddlewaretoken": token,
    }
    answer = person.request.post(
        address, form=form, headers={"Referer": address}, max_redirects=0, timeout=_LIMIT_MS
    )
    assert answer.status == 302, f"{user}: expected a redirect after the login, got {answer.status}"
