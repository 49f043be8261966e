"""Work without the way to the check, in the real page: Auto-Accept, boxes, a touch screen."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from backend.demo.processes import Server
from backend.label_studio.api import LabelStudioApi
from tests.e2e.conftest import ROOT
from tests.e2e.flows import (
    CAT,
    CONFIGS,
    CORNER,
    first_id,
    ids_of,
    lies_at,
    mask_ids,
    mask_of_answer,
    open_flow,
    place_inside,
)
from tests.e2e.labeling_page import LabelingPage

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("config", ["auto_accept.xml", "auto_accept_polygons.xml"])
def test_objects_are_made_and_corrected_without_the_check(
    tab: LabelingPage, api: LabelStudioApi, backend: Server, config: str
) -> None:
    task = open_flow(tab, api, backend, config, auto_accept=True)
    first = tab.click(*CAT)
    assert (tab.suggestions(), first_id(first) in mask_ids(tab)) == (0, True)
    taken = tab.click(*CAT, alt=True, on_mask=True)  # at once, before there is a draft
    assert first_id(taken) == first_id(first)
    assert not lies_at(mask_of_answer(taken), *CAT)
    tab.wait_until_saved(task)
    place = place_inside(mask_of_answer(taken))
    again = tab.click(*place, alt=True, on_mask=True)  # later, from the draft
    assert first_id(again) == first_id(first)
    assert not lies_at(mask_of_answer(again), *place)


@pytest.mark.parametrize("config", ["auto_accept.xml", "auto_accept_polygons.xml"])
def test_what_was_undone_or_deleted_does_not_come_back(
    tab: LabelingPage, api: LabelStudioApi, backend: Server, config: str
) -> None:
    task = open_flow(tab, api, backend, config, auto_accept=True)
    tab.click(*CAT)
    tab.page.wait_for_timeout(300)  # until it is a step that can be undone
    tab.page.keyboard.press("Control+z")
    tab.wait_for_masks(0)
    again = tab.click(CAT[0] + 2, CAT[1])
    assert mask_ids(tab) == {row["id"] for row in again["data"]["result"]}
    tab.wait_until_saved(task)
    for _ in tab.masks():
        tab.select_first_region()
        tab.page.keyboard.press("Backspace")
    tab.wait_for_masks(0)
    tab.wait_until_saved(task)
    assert tab.click(*CAT, alt=True)["data"]["result"] == []
    assert tab.masks() == []


def test_points_faster_than_answers_are_objects_of_their_own(
    tab: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    open_flow(tab, api, backend, "auto_accept.xml", auto_accept=True)
    with tab.held_questions():
        for place in (CORNER, CAT, (8.0, 12.0)):
            tab.ask(*place)
    assert len(tab.asked[-1]["context"]["result"]) == 3
    tab.wait_for_masks(3)


def test_a_click_beside_a_selected_mask_adds_to_it(
    tab: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    open_flow(tab, api, backend, "auto_accept.xml", auto_accept=True)
    first = tab.click(*CAT)
    tab.start_click(*CAT)  # selects it, and asks nothing
    tab.page.wait_for_timeout(300)
    added = tab.click(*CORNER)
    assert first_id(added) == first_id(first)
    assert lies_at(mask_of_answer(added), *CORNER)
    assert mask_ids(tab) == {first_id(first)}


def test_a_click_beside_a_selected_mask_leaves_the_page_whole_without_auto_accept(
    tab: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    open_flow(tab, api, backend, "one_class.xml", auto_accept=False)
    first = tab.click(*CAT)
    tab.accept()
    tab.start_click(*CAT)  # selects it
    tab.page.wait_for_timeout(300)
    second = tab.click(*CORNER)  # which broke the page where it was answered as the selected one
    tab.accept()
    assert mask_ids(tab) == ids_of(first) | ids_of(second)


@pytest.mark.parametrize("config", ["one_class.xml", "one_class_polygons.xml"])
def test_two_masks_become_one_and_the_deleted_one_stays_away(
    tab: LabelingPage, api: LabelStudioApi, backend: Server, config: str
) -> None:
    task = open_flow(tab, api, backend, config, auto_accept=False)
    first = tab.click(*CAT)
    tab.accept()
    second = tab.click(*CORNER)
    tab.accept()
    tab.wait_until_saved(task)
    with tab.held_drafts():  # one that has both would bring the second back
        tab.click(*CAT, on_mask=True)
        joined = tab.click(*CORNER, on_mask=True)
        assert first_id(joined) == first_id(first)
        assert lies_at(mask_of_answer(joined), *CAT)
        assert lies_at(mask_of_answer(joined), *CORNER)
        assert first_id(second) in joined["data"]["result"][0]["meta"]["text"][0]
        tab.accept()
        for name in ids_of(second):
            tab.store(f"a.selectAreas([a.regionStore.regions.find(r => r.cleanId === '{name}')])")
            tab.page.keyboard.press("Backspace")
        tab.wait_for_masks(len(ids_of(joined)))
        again = tab.click(CORNER[0] - 1, CORNER[1], on_mask=True)  # before a draft without it
        assert first_id(again) == first_id(first)
        assert ids_of(second).isdisjoint(ids_of(again))


def test_a_box_gives_a_mask_and_a_click_in_it_corrects_it(
    tab: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    open_flow(tab, api, backend, "boxes_and_points.xml", auto_accept=False)
    tab.take_tool("k", "click")  # M takes either of the smart tools
    tab.take_tool("r", "box")
    boxed = tab.draw_box(20, 20, 75, 90)
    tab.page.keyboard.press("u")  # the box stays selected else
    tab.take_tool("k", "click")
    corrected = tab.click(*CAT, alt=True, on_mask=True)
    assert first_id(corrected) == first_id(boxed)
    assert not lies_at(mask_of_answer(corrected), *CAT)
    tab.accept()
    assert [region["type"] for region in tab.regions()] == ["brushregion"]


def test_two_tools_say_this_and_not_this_on_a_touch_screen(
    tab: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    open_flow(tab, api, backend, "touch.xml", auto_accept=False)
    tab.tap_tool("this")
    first = tab.tap(*CAT)
    tab.tap_tool("not-this")
    taken = tab.tap(*CORNER)
    assert first_id(taken) == first_id(first)
    assert not lies_at(mask_of_answer(taken), *CORNER)
    tab.tap_tool("this")
    added = tab.tap(CAT[0] + 5, CAT[1])
    assert first_id(added) == first_id(first)
    assert not lies_at(mask_of_answer(added), *CORNER)  # the other tool's point still counts
    tab.accept()
    assert [region["type"] for region in tab.regions()] == ["brushregion"]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.xml")), ids=lambda path: path.stem)
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
