"""From mouse click to painted mask in the real page, beside a backend that answers at once.

    python -m tests.benchmarks.click_in_page [WIDTHxHEIGHT ...]

Needs Chromium and `.venv-label-studio`, which `make test` builds. The floor is what the page and
Label Studio themselves take: a server that repeats, without a moment's thought, the masks that the
backend found for the same clicks. Both are clicked on in turns.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from tests.benchmarks.page_flows import running_place
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.flows import open_only_task
from tests.e2e.labeling_page import LabelingPage
from tests.fakes import LoopbackSite, QuietHandler

_N_OBJECTS = 6
_CLICKS = ((50, 50, False), (45, 60, False), (60, 52, False), (20, 20, True))
_PAINTED = """() => {
  const store = window.Htx || window.dataManager?.lsf?.lsf?.store;
  window.clickedAt = 0;
  window.paintedAt = 0;
  window.addEventListener('mousedown', () => {
    const started = window.clickedAt = performance.now();
    window.paintedAt = 0;
    const look = () => {
      const answered = performance.getEntriesByType('resource').some(entry =>
        entry.name.includes('interactive-annotating') && entry.startTime >= started);
      const shown = answered && !store.awaitingSuggestions
        && store.annotationStore.selected.suggestions.size > 0;
      if (!shown) return requestAnimationFrame(look);
      requestAnimationFrame(() => requestAnimationFrame(() => {
        window.paintedAt = performance.now();
        performance.clearResourceTimings();
      }));
    };
    requestAnimationFrame(look);
  }, true);
}"""


class _Echo(LoopbackSite):
    """Repeats an answer by the number of clicks."""

    def __init__(self) -> None:
        super().__init__(_EchoHandler)
        self.answers: dict[int, dict[str, Any]] = {}
        self.n_repeated = 0


class _EchoHandler(QuietHandler):
    server: _Echo

    def do_GET(self) -> None:
        self._send({"status": "UP"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        context = (body.get("params") or {}).get("context") or {}
        clicks = [row for row in context.get("result", []) if row["type"].startswith("keypoint")]
        answer = self.server.answers.get(len(clicks))
        if answer is None:
            self._send({"model_version": "echo", "results": []})
            return
        self.server.n_repeated += 1
        rows = [{**row, "id": f"echo{self.server.n_repeated}"} for row in answer["result"]]
        self._send({"results": [{**answer, "result": rows}]})

    def _send(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _click(tab: LabelingPage, x: float, y: float, *, alt: bool) -> float:
    """Milliseconds from the mouse button to the second frame with the mask."""
    tab.start_click(x, y, alt=alt)
    tab.page.wait_for_function("window.paintedAt > window.clickedAt", polling=20)
    tab.finish_click()
    return float(tab.page.evaluate("window.paintedAt - window.clickedAt"))


def _measure(tabs: dict[str, LabelingPage], echo: _Echo) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in tabs}
    for index in range(_N_OBJECTS + 1):
        for name, tab in tabs.items():
            tab.page.bring_to_front()
            for number, (x, y, alt) in enumerate(_CLICKS, 1):
                ms = _click(tab, x + 0.4 * index, y, alt=alt)
                if name == "backend":
                    echo.answers[number] = tab.answers[-1]["data"]
                if index and number > 1:  # the first object warms up, first clicks are others
                    taken[name].append(ms)
            tab.page.get_by_test_id("bottombar-reject-suggestions-button").click()
            tab.page.wait_for_timeout(300)
            tab.reload()
            tab.switch_on_clicking()
            tab.page.evaluate(_PAINTED)
    return taken


def _photo(folder: Path, width: int, height: int) -> Path:
    path = folder / f"photo-{width}x{height}.jpg"
    with Image.open(PHOTOS / "bowl.jpg") as image:
        ImageOps.fit(image, (width, height)).save(path, quality=90)
    return path


def main(sizes: list[str]) -> None:
    """Print a line for each size."""
    config = (ROOT / "label_config" / "one_class.xml").read_text()
    with _Echo().serving() as echo, running_place([]) as place:
        for size in sizes:
            width, height = (int(part) for part in size.split("x"))
            tabs = {}
            for kind, url in (("backend", place.backend_url), ("floor", echo.url)):
                project = place.api.create_project(f"{kind} {size}", config)
                place.api.upload(project, [_photo(place.folder, width, height)])
                tab = tabs[kind] = place.logged_in()
                open_only_task(tab, place.api, url, project, auto_accept=False)
                tab.page.evaluate(_PAINTED)
            taken = _measure(tabs, echo)
            medians = {kind: round(statistics.median(ms)) for kind, ms in taken.items()}
            print(json.dumps({"size": size, "clicks": len(taken["floor"]), **medians}))
            for tab in tabs.values():
                tab.close()


if __name__ == "__main__":
    main(sys.argv[1:] or ["1024x768", "4000x3000"])
