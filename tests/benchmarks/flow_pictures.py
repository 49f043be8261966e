"""Pictures of the ways to a mask, of the real page, for the documentation.

    python -m tests.benchmarks.flow_pictures docs/images [LABEL_STUDIO_URL BACKEND_URL]

Each is a strip of panels: what the hand does, and what the page then shows.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tests.benchmarks.page_flows import FLOWS, PageFlow, Place, running_place
from tests.e2e.flows import CAT, CORNER
from tests.e2e.labeling_page import LabelingPage

_PANEL_PX, _CAPTION_PX, _GAP_PX = 330, 22, 6
_COLOURS = 96
_SETTLED_MS = 500
_BOWL, _FIG = (80.0, 60.0), (58.0, 56.0)


@dataclass(slots=True, eq=False)
class _Strip:
    """Panels of the image in the page, side by side."""

    tab: LabelingPage
    panels: list[tuple[Image.Image, str]] = field(default_factory=list)

    def add(self, caption: str, *marks: tuple[float, float], box: bool = False) -> None:
        """Take a panel; marks are places in percent, of a box its two corners."""
        tab = self.tab
        tab.page.mouse.move(5, 5)
        tab.page.wait_for_timeout(_SETTLED_MS)
        (left, top), (right, bottom) = tab.place(0, 0), tab.place(100, 100)
        whole = Image.open(io.BytesIO(tab.page.screenshot())).convert("RGB")
        panel = whole.crop((round(left), round(top), round(right), round(bottom)))
        height = round(_PANEL_PX * panel.height / panel.width)
        panel = panel.resize((_PANEL_PX, height), Image.Resampling.LANCZOS)
        draw = ImageDraw.Draw(panel)
        places = [(x / 100 * _PANEL_PX, y / 100 * height) for x, y in marks]
        if box:
            draw.rectangle([*places[0], *places[1]], outline="white", width=3)
        for x, y in () if box else places:
            for radius, colour in ((8, "white"), (6, "black")):
                draw.ellipse(
                    [x - radius, y - radius, x + radius, y + radius], outline=colour, width=2
                )
        self.panels.append((panel, caption))

    def save(self, path: Path) -> None:
        """Write the strip as a small PNG."""
        n, height = len(self.panels), self.panels[0][0].height
        size = (n * _PANEL_PX + (n - 1) * _GAP_PX, height + _CAPTION_PX)
        strip = Image.new("RGB", size, "white")
        draw, font = ImageDraw.Draw(strip), ImageFont.load_default(14)
        for index, (panel, caption) in enumerate(self.panels):
            left = index * (_PANEL_PX + _GAP_PX)
            strip.paste(panel, (left, _CAPTION_PX))
            draw.text((left + 2, 2), caption, fill="black", font=font)
        strip.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def _one_click(tab: LabelingPage, strip: _Strip) -> None:
    strip.add("click", _BOWL)
    tab.click(*_BOWL)
    strip.add("its mask, accepted; Ctrl+Alt+click", _FIG)
    tab.click(*_FIG, alt=True, on_mask=True)
    strip.add("taken away there")


def _with_check(tab: LabelingPage, strip: _Strip) -> None:
    tab.click(*_BOWL)
    strip.add("click: a mask that waits", _BOWL)
    tab.click(*_FIG, alt=True)
    strip.add("Alt+click where it is too much", _FIG)
    tab.accept()
    strip.add("the check: accepted")


def _box(tab: LabelingPage, strip: _Strip) -> None:
    corners = ((39.0, 30.0), (74.0, 79.0))
    strip.add("key R, a box", *corners, box=True)
    tab.draw_box(*corners[0], *corners[1])
    strip.add("the mask of what is in it")


def _several_classes(tab: LabelingPage, strip: _Strip) -> None:
    strip.add("key A (Animal), click", CAT)
    tab.press_label("a")
    tab.click(*CAT)
    strip.add("the animal's mask")
    strip.add("key S (Thing), click", CORNER)
    tab.press_label("s")
    tab.click(*CORNER)
    strip.add("the thing's")


def _all_alike(tab: LabelingPage, strip: _Strip) -> None:
    strip.add("key 2 (All like this), click", (50.0, 37.5))
    tab.press_label("2")
    tab.click(50.0, 37.5)
    tab.accept()
    strip.add("the check: twenty masks")


_PICTURES: dict[str, tuple[str, bool, Callable[[LabelingPage, _Strip], None]]] = {
    "flow-auto-accept": ("one click", True, _one_click),
    "flow-check": ("one click", False, _with_check),
    "flow-box": ("a box", True, _box),
    "flow-classes": ("several classes", True, _several_classes),
    "flow-alike": ("twenty, all like this", False, _all_alike),
}


def _taken(place: Place, tab: LabelingPage, name: str, path: Path) -> None:
    flow_name, is_auto, run = _PICTURES[name]
    flow: PageFlow = next(flow for flow in FLOWS if flow.name == flow_name)
    photo = "" if name in ("flow-classes", "flow-alike") else "bowl.jpg"
    place.open(tab, flow, is_auto=is_auto, polygons=False, photo=photo)
    strip = _Strip(tab)
    run(tab, strip)
    strip.save(path)


def main(folder: Path, urls: list[str]) -> None:
    """Write the pictures into a folder."""
    with running_place(urls) as place:
        tab = place.logged_in()
        for name in _PICTURES:
            _taken(place, tab, name, folder / f"{name}.png")
        tab.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
