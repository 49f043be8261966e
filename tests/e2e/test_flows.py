"""Work without the way to the check, in the real page: Auto-Accept, boxes, a touch screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser

from backend.demo.processes import Server
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.brush_rle import decode
from mfp_model.data.automatic_clicks import next_click
from mfp_model.masks.polygons import mask_of
from tests.e2e.conftest import PHOTOS, ROOT, logged_in
from tests.e2e.labeling_page import LabelingPage

pytestmark = pytest.mark.browser

_CAT, _CORNER = (45.0, 55.0), (92.0, 92.0)
_CONFIGS = ROOT / "label_config"


@pytest.fixture(scope="module")
def tab(browser: Browser, label_studio: Server) -> Iterator[LabelingPage]:
    person = logged_in(browser, label_studio, has_touch=True)
    yield LabelingPage(person, label_studio.url)
    person.close()


def _open(
    tab: LabelingPage,
    api: LabelStudioApi,
    backend: Server,
    config: str,
    *,
    auto_accept: bool,
) -> int:
    project = api.create_project(f"flow {config}", (_CONFIGS / config).read_text())
    api.upload(project, [PHOTOS / "cat.jpg"])
    api.connect_backend(project, backend.url)
    task = int(api.tasks(project)[0]["id"])
    tab.open_task(project, task)
    tab.switch_on_clicking()
    tab.switch_auto_accept(auto_accept)
    return task


def _mask(answer: dict[str, Any]) -> NDArray[np.bool_]:
    rows = answer["data"]["result"]
    height, width = rows[0]["original_height"], rows[0]["original_width"]
    if rows[0]["type"] == "brushlabels":
        masks = [decode(row["value"]["rle"], height=height, width=width) > 127 for row in rows]
        return np.asarray(np.any(masks, axis=0))
    polygons = [np.array(row["value"]["points"]) / 100 * (width, height) for row in rows]
    return mask_of(polygons, height=height, width=width)


def _first_id(answer: dict[str, Any]) -> str:
    return str(answer["data"]["result"][0]["id"])


def _ids(tab: LabelingPage) -> set[str]:
    return {mask["id"] for mask in tab.masks()}


def _at(mask: NDArray[np.bool_], x: float, y: float) -> bool:
    height, width = mask.shape
    return bool(mask[int(y / 100 * height), int(x / 100 * width)])


def _inside(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """A place deep in a mask."""
    click = next_click(mask, np.zeros_like(mask))
    assert click is not None
    height, width = mask.shape
    return (click.column + 0.5) / width * 100, (click.row + 0.5) / height * 100


@pytest.mark.parametrize("config", ["auto_accept.xml", "auto_accept_polygons.xml"])
def test_objects_are_made_and_corrected_without_the_check(
    tab: LabelingPage, api: LabelStudioApi, backend: Server, config: str
) -> None:
    task = _open(tab, api, backend, config, auto_accept=True)
    first = tab.click(*_CAT)
    assert (tab.suggestions(), _first_id(first) in _ids(tab)) == (0, True)
    taken = tab.click(*_CAT, alt=True, on_mask=True)  # at once, before there is a draft
    assert _first_id(taken) == _first_id(first)
    assert not _at(_mask(taken), *_CAT)
    tab.wait_until_saved(task)
    place = _inside(_mask(taken))
    again = tab.click(*place, alt=True, on_mask=True)  # later, from the draft
    assert _first_id(again) == _first_id(first)
    assert not _at(_mask(again), *place)


@pytest.mark.parametrize("config", ["auto_accept.xml", "auto_accept_polygons.xml"])
def test_what_was_undone_or_deleted_does_not_come_back(
    tab: LabelingPage, api: LabelStudioApi, backend: Server, config: str
) -> None:
    task = _open(tab, api, backend, config, auto_accept=True)
    tab.click(*_CAT)
    tab.page.keyboard.press("Control+z")
    tab.page.wait_for_timeout(300)
    assert tab.masks() == []
    again = tab.click(_CAT[0] + 2, _CAT[1])
    assert _ids(tab) == {row["id"] for row in again["data"]["result"]}
    tab.wait_until_saved(task)
    for _ in tab.masks():
        tab.select_first_region()
        tab.page.keyboard.press("Backspace")
    tab.wait_for_masks(0)
    tab.wait_until_saved(task)
    assert tab.click(*_CAT, alt=True)["data"]["result"] == []
    assert tab.masks() == []


def test_points_faster_than_answers_are_objects_of_their_own(
    tab: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    _open(tab, api, backend, "auto_accept.xml", auto_accept=True)
    tab.asked.clear()
    for place in (_CORNER, _CAT, (8.0, 12.0)):
        tab.start_click(*place)
    tab.finish_click()
    tab.page.wait_for_timeout(2000)  # for what is still on its way
    placed = {point["id"] for asked in tab.asked for point in asked["context"]["result"]}
    assert len(placed) >= 2
    tab.wait_for_masks(len(placed))


def test_a_click_beside_a_selected_mask_adds_to_it(
    tab: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    _open(tab, api, backend, "auto_accept.xml", auto_accept=True)
    first = tab.click(*_CAT)
    tab.start_click(*_CAT)  # selects it, and asks nothing
    tab.page.wait_for_timeout(300)
    added = tab.click(*_CORNER)
    assert _first_id(added) == _first_id(first)
    assert _at(_mask(added), *_CORNER)
    assert _ids(tab) == {_first_id(first)}


def test_a_box_gives_a_mask_and_a_click_in_it_corrects_it(
    tab: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    _open(tab, api, backend, "boxes_and_points.xml", auto_accept=False)
    tab.take_tool("k", "click")  # M takes either of the smart tools
    tab.take_tool("r", "box")
    boxed = tab.draw_box(20, 20, 75, 90)
    tab.page.keyboard.press("u")  # the box stays selected else
    tab.take_tool("k", "click")
    corrected = tab.click(*_CAT, alt=True, on_mask=True)
    assert _first_id(corrected) == _first_id(boxed)
    assert not _at(_mask(corrected), *_CAT)
    tab.accept()
    assert [region["type"] for region in tab.regions()] == ["brushregion"]


def test_two_tools_say_this_and_not_this_on_a_touch_screen(
    tab: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    _open(tab, api, backend, "touch.xml", auto_accept=False)
    tab.take_tool("m", "this")
    first = tab.tap(*_CAT)
    tab.take_tool("k", "not-this")
    taken = tab.tap(*_CORNER)
    assert _first_id(taken) == _first_id(first)
    assert not _at(_mask(taken), *_CORNER)
    tab.take_tool("m", "this")
    added = tab.tap(_CAT[0] + 5, _CAT[1])
    assert _first_id(added) == _first_id(first)
    assert not _at(_mask(added), *_CORNER)  # the other tool's point still counts
    tab.accept()
    assert [region["type"] for region in tab.regions()] == ["brushregion"]


@pytest.mark.parametrize("path", sorted(_CONFIGS.glob("*.xml")), ids=lambda path: path.stem)
def test_no_hotkey_of_a_label_is_one_of_the_pages_own(path: Path) -> None:
    (script,) = (
        text
        for file in (ROOT / ".venv-label-studio")
        .resolve()
        .glob("lib/python3*/site-packages/web/dist/apps/labelstudio/*.js")
        if '"tool:auto-detect":{"key"' in (text := file.read_text(errors="replace"))
    )
    listed = re.search(r"JSON\.parse\('(\{\"audio:back\".*?\}\})'\)", script)
    assert listed is not None
    keys = {entry["key"].lower() for entry in json.loads(listed[1]).values()}
    assert {"m", "k", "e"} <= keys
    hotkeys = {tag.get("hotkey") for tag in ET.parse(path).iter() if tag.get("hotkey")}
    assert hotkeys.isdisjoint(keys)
