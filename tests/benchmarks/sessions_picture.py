"""A picture of a sessions report, of clicks that were made and submitted in the real page.

    python -m tests.benchmarks.sessions_picture docs/images/sessions.png [LABEL_STUDIO_URL ...]

After Label Studio's address come the backend's and its data folder; without them all are started.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from backend.cli import main as mfp
from backend.demo.processes import TOKEN
from backend.recording.recorded_objects import read_objects
from backend.storage.file_database import FileDatabase
from backend.storage.tables import SESSIONS
from tests.benchmarks.page_flows import Place, running_place
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.label_studio_calls import tasks_of
from tests.e2e.labeling_page import LabelingPage

_WIDTH, _SETTLED_MS = 1040, 1000
# Of each photo its objects: places in percent, and whether they are "object".
_OBJECTS: dict[str, list[list[tuple[float, float, bool]]]] = {
    "bowl": [[(80, 60, True), (58, 56, False)]],
    "cat": [[(45, 55, True), (57, 12, False)]],
    "coffee": [[(50, 40, True)]],
    "dogs": [[(40, 34, True)], [(56, 52, True)]],
    "astronaut": [[(45, 80, True)]],
}


def _label(tab: LabelingPage, project: int, task: int, name: str) -> None:
    tab.open_task(project, task)
    tab.switch_on_clicking()
    tab.switch_auto_accept(False)
    tab.page.wait_for_timeout(_SETTLED_MS)
    for clicks in _OBJECTS[name]:
        for number, (x, y, is_positive) in enumerate(clicks):
            tab.click(x, y, alt=not is_positive, on_mask=number > 0)
            tab.page.wait_for_timeout(_SETTLED_MS)
        if tab.suggestions():
            tab.accept()
    tab.submit()


def _record(place: Place, store: Path) -> int:
    config = (ROOT / "label_config" / "one_class.xml").read_text()
    project = place.api.create_project("sessions", config)
    for name in _OBJECTS:
        place.api.upload(project, [PHOTOS / f"{name}.jpg"])
    place.api.connect_backend(project, place.backend_url)
    tab = place.logged_in()
    tasks = sorted(int(task["id"]) for task in tasks_of(place.api, project))
    for task, name in zip(tasks, _OBJECTS, strict=True):
        _label(tab, project, task, name)
    n_objects = sum(map(len, _OBJECTS.values()))
    for _ in range(100):  # webhooks come a moment later
        objects = read_objects(FileDatabase(store, SESSIONS), project=str(project))
        if sum(clicked.final is not None for clicked in objects) >= n_objects:
            break
        time.sleep(0.1)
    tab.close()
    return project


def main(out: Path, urls: list[str]) -> None:
    """Write the picture."""
    with running_place(urls[:2]) as place:
        data = Path(urls[2]) if urls else place.folder / "backend-data"
        project = _record(place, data / "sessions.sqlite3")
        os.environ |= {
            "LABEL_STUDIO_URL": place.studio_url,
            "LABEL_STUDIO_API_KEY": TOKEN,
            "MFP_DATA_DIR": str(data),
        }
        report = place.folder / "sessions.html"
        mfp(["sessions", "report", "--project", str(project), "--out", str(report)])
        page = place.browser.new_page(viewport={"width": _WIDTH, "height": 900})
        page.goto(report.as_uri())
        page.wait_for_selector("figure img")
        page.screenshot(path=out, full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
