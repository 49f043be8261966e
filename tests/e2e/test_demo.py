"""`make demo`, from its first line to Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser

from backend.demo.processes import PASSWORD, TOKEN, USER
from backend.label_studio.access import LabelStudioAccess
from backend.label_studio.api import LabelStudioApi
from tests.browser import log_in, new_person
from tests.e2e.conftest import ROOT
from tests.e2e.flows import first_id, lies_at, mask_ids, mask_of_answer
from tests.e2e.label_studio_calls import tasks_of
from tests.e2e.labeling_page import LabelingPage

_BOWL, _FIG, _WALL = (85.0, 55.0), (58.0, 56.0), (12.0, 85.0)  # places on the photo, in percent


def _started(data: Path) -> tuple[subprocess.Popen[str], str]:
    """The demo's process and all it printed until it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "backend.demo", "--data", str(data)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Ctrl-C" in line:
            return process, printed
    raise AssertionError(f"the demo ended: {printed}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stdout is not None
    process.stdout.close()


def _project(printed: str) -> tuple[LabelStudioApi, str, int]:
    """The Label Studio, its address and the project that were printed."""
    match = re.search(r"(http://127\.0\.0\.1:\d+)/projects/(\d+)/data", printed)
    assert match is not None
    api = LabelStudioApi(LabelStudioAccess(url=match[1], api_key=TOKEN, timeout_s=60))
    return api, match[1], int(match[2])


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """What the demo printed at its first start, and at its second, which runs."""
    data = tmp_path_factory.mktemp("demo")
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind(("127.0.0.1", 9090))
        busy.listen()
        process, first = _started(data)
        try:
            api, _, project = _project(first)
            assert len(tasks_of(api, project)) == 6
        finally:
            _stop(process)
    process, second = _started(data)
    yield first, second
    _stop(process)


def test_the_demo_starts_twice_takes_free_ports_and_stops_cleanly(
    printed: tuple[str, str],
) -> None:
    first, second = printed
    assert "Port 9090 is taken" in first
    for word in ("Login", "Password", "Auto-Annotation", "Auto-Accept", "Ctrl+Alt+click"):
        assert word in first
    api, url, project = _project(second)
    assert len(tasks_of(api, project)) == 6
    assert requests.get(f"{url}/health", timeout=5).status_code == 200


@pytest.mark.browser
def test_its_page_works_as_the_printed_lines_say(
    printed: tuple[str, str], browser: Browser
) -> None:
    api, url, project = _project(printed[1])
    (task,) = (task for task in tasks_of(api, project) if "bowl" in task["data"]["image"])
    person = new_person(browser)
    log_in(person, url, USER, PASSWORD)
    tab = LabelingPage(person, url)
    tab.open_task(project, task["id"])
    tab.switch_on_clicking()
    tab.switch_auto_accept(True)
    tab.switch_on_clicking()  # the switch may have cost the tool
    first = tab.click(*_BOWL)
    assert (tab.suggestions(), mask_ids(tab)) == (0, {first_id(first)})
    assert lies_at(mask_of_answer(first), *_FIG)
    taken = tab.click(*_FIG, alt=True, on_mask=True)
    assert first_id(taken) == first_id(first)
    assert not lies_at(mask_of_answer(taken), *_FIG)
    if folder := os.environ.get("MFP_SCREENSHOTS"):
        tab.screenshot(Path(folder) / "demo.png")
    second = tab.click(*_WALL)
    assert (tab.suggestions(), mask_ids(tab)) == (0, {first_id(first), first_id(second)})
    tab.submit()
    person.close()
    (task,) = (each for each in tasks_of(api, project) if each["id"] == task["id"])
    saved = [row["id"] for row in task["annotations"][0]["result"] if "brushlabels" in row["type"]]
    assert set(saved) == {first_id(first), first_id(second)}
