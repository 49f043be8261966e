"""The ways to an object's mask in the real page, with a count of what the hand does."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps
from playwright.sync_api import Browser, sync_playwright

from backend.bench.tray import draw_tray, tray_places
from backend.demo.processes import (
    PASSWORD,
    TOKEN,
    USER,
    free_port,
    start_backend,
    start_label_studio,
)
from backend.label_studio.access import LabelStudioAccess
from backend.label_studio.api import LabelStudioApi
from tests.browser import log_in, new_person, start_browser
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.flows import open_only_task
from tests.e2e.labeling_page import LabelingPage

WIDTH, HEIGHT = 1024, 768
_JITTER = 0.5  # on a coin, of the way between two objects
_CHECK = "[data-testid=bottombar-accept-suggestions-button]"
_TOOLS = {"boxes_and_points.xml": ("r", "box")}


@dataclass(slots=True, kw_only=True, eq=False)
class Hand:
    """What an annotator does in a tab, counted; places in percent.

    Attributes:
        tab: The tab.
        is_auto: Auto-Accept is on.
        n_actions: Clicks, drags, keys and checks.
        way_px: How far the mouse went.
        at: Where it is, in pixels of the page.
    """

    tab: LabelingPage
    is_auto: bool
    n_actions: int = 0
    way_px: float = 0.0
    at: tuple[float, float] | None = None

    def press_label(self, key: str) -> None:
        """Press a label's key."""
        self.n_actions += 1
        self.tab.press_label(key)

    def click(self, x: float, y: float, *, alt: bool = False, on_mask: bool = False) -> None:
        """Click and wait for the mask; Alt and Ctrl held are no actions of their own."""
        self._go(self.tab.place(x, y))
        self.tab.click(x, y, alt=alt, on_mask=on_mask)

    def box(self, x: float, y: float, to_x: float, to_y: float) -> None:
        """Drag a box and wait for the mask."""
        self._go(self.tab.place(x, y))
        self.tab.draw_box(x, y, to_x, to_y)
        self._move(self.tab.place(to_x, to_y))

    def accept(self) -> None:
        """Press the check at the bottom, where something waits for it."""
        if self.is_auto:
            return
        button = self.tab.page.locator(_CHECK).bounding_box()
        assert button is not None, "a mask waits for it"
        self._go((button["x"] + button["width"] / 2, button["y"] + button["height"] / 2))
        self.tab.accept()

    def return_to(self, x: float, y: float) -> None:
        """Move to where the next object is."""
        self._move(self.tab.place(x, y))

    def _go(self, place: tuple[float, float]) -> None:
        self.n_actions += 1
        self._move(place)

    def _move(self, place: tuple[float, float]) -> None:
        if self.at is not None:
            self.way_px += math.dist(self.at, place)
        self.at = place


Flow = Callable[[Hand, float, float], None]


def one_click(hand: Hand, x: float, y: float) -> None:
    """An object of one click."""
    hand.click(x, y)
    hand.accept()


def two_clicks(hand: Hand, x: float, y: float) -> None:
    """An object whose first mask is too much somewhere."""
    hand.click(x, y)
    hand.click(x + 4, y + 3, alt=True, on_mask=True)
    hand.accept()


def correction(hand: Hand, x: float, y: float) -> None:
    """A mask that is there is corrected."""
    hand.click(x + 4, y + 3, alt=True, on_mask=True)
    hand.accept()


def box(hand: Hand, x: float, y: float) -> None:
    """A box around an object."""
    hand.box(x - 6, y - 25, x + 29, y + 24)  # the bowl's fig
    hand.accept()


def several_classes(hand: Hand, x: float, y: float) -> None:
    """An object of one of several classes."""
    hand.press_label("a")
    hand.click(x, y)
    hand.accept()


def each_alike(hand: Hand, x: float, y: float) -> None:
    """Twenty like objects, each with a click."""
    for left, top in tray_places():
        hand.click(left, top + (y - 55) * _JITTER)
        hand.accept()


def all_alike(hand: Hand, x: float, y: float) -> None:
    """Twenty like objects with All like this."""
    hand.press_label("2")
    left, top = tray_places()[7]
    hand.click(left, top + (y - 55) * _JITTER)
    hand.accept()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFlow:
    """A way to a mask.

    Attributes:
        name: For tables.
        run: What is done.
        config: The label configuration's file.
        n_before: Masks that are there before, with a click each.
        photo: What it is done on.
    """

    name: str
    run: Flow
    config: str
    n_before: int = 0
    photo: str = "cat.jpg"

    @property
    def is_tray(self) -> bool:
        """Whether it makes twenty objects at once."""
        return self.photo == "tray.png"


FLOWS = (
    PageFlow(name="one click", run=one_click, config="one_class.xml"),
    PageFlow(name="two clicks", run=two_clicks, config="one_class.xml"),
    PageFlow(name="a correction", run=correction, config="one_class.xml", n_before=1),
    PageFlow(name="a box", run=box, config="boxes_and_points.xml", photo="bowl.jpg"),
    PageFlow(name="several classes", run=several_classes, config="several_classes.xml"),
    PageFlow(name="twenty, one by one", run=each_alike, config="one_class.xml", photo="tray.png"),
    PageFlow(
        name="twenty, all like this", run=all_alike, config="all_like_this.xml", photo="tray.png"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """Where flows are tried: a Label Studio, its API, a backend, a folder of pictures."""

    studio_url: str
    backend_url: str
    api: LabelStudioApi
    browser: Browser
    folder: Path

    def logged_in(self) -> LabelingPage:
        """Return a tab of the demo's user."""
        person = new_person(self.browser)
        log_in(person, self.studio_url, USER, PASSWORD)
        return LabelingPage(person, self.studio_url)

    def picture(self, name: str) -> Path:
        """Make a photo of the demo's as large as all pictures are, or the tray, and return it."""
        path = self.folder / name
        if name == "tray.png":
            return draw_tray(path, width=WIDTH, height=HEIGHT)
        with Image.open(PHOTOS / name) as image:
            ImageOps.fit(image, (WIDTH, HEIGHT)).save(path, quality=90)
        return path

    def open(
        self,
        tab: LabelingPage,
        flow: PageFlow,
        *,
        is_auto: bool,
        polygons: bool,
        photo: str = "",
    ) -> int:
        """Open a new project's task, ready for the flow, and return the task's id."""
        config = (ROOT / "label_config" / flow.config).read_text()
        if is_auto:
            config = config.replace('smart="false"', 'smart="false" autoAccept="true"')
        if polygons:
            config = config.replace("BrushLabels", "PolygonLabels")
        project = self.api.create_project(f"{flow.name} {time.time():.0f}"[:50], config)
        self.api.upload(project, [self.picture(photo or flow.photo)])
        task = open_only_task(tab, self.api, self.backend_url, project, auto_accept=is_auto)
        if flow.config in _TOOLS:
            tab.take_tool(*_TOOLS[flow.config])
        return task


@contextmanager
def running_place(urls: list[str]) -> Iterator[Place]:
    """Give a place to try flows in.

    Args:
        urls: Of a Label Studio and of a backend that run; none to start both.
    """
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder, browser = Path(name), start_browser(playwright)

        def place(studio_url: str, backend_url: str) -> Place:
            access = LabelStudioAccess(url=studio_url, api_key=TOKEN, timeout_s=60)
            return Place(
                studio_url=studio_url,
                backend_url=backend_url,
                api=LabelStudioApi(access),
                browser=browser,
                folder=folder,
            )

        if urls:
            yield place(*urls)
            return
        studio = start_label_studio(
            ROOT / ".venv-label-studio", folder / "label-studio", port=free_port()
        )
        server = start_backend(
            folder / "backend.log", port=free_port(), label_studio_url=studio.url
        )
        with studio.running(limit_s=300), server.running(limit_s=60):
            yield place(studio.url, server.url)
