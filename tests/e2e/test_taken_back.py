"""With Auto-Accept, in the real page: what was undone, deleted or lost must not come back.

Each is tried before the page has saved a draft, five seconds after a click, and after it.
"""

from __future__ import annotations

from typing import Any

import pytest

from backend.demo.processes import Server
from backend.label_studio.api import LabelStudioApi
from tests.e2e.flows import CAT, CORNER, ids_of, lies_at, mask_ids, mask_of_answer, open_flow
from tests.e2e.labeling_page import LabelingPage

pytestmark = pytest.mark.browser

_BOTH = pytest.mark.parametrize("config", ["auto_accept.xml", "auto_accept_polygons.xml"])
_BESIDE_CORNER = (CORNER[0] - 2, CORNER[1] - 2)


def _undo(tab: LabelingPage, n_masks: int) -> None:
    tab.page.keyboard.press("Control+z")
    tab.wait_for_masks(n_masks)


def _delete(tab: LabelingPage, answer: dict[str, Any]) -> None:
    """Delete an answer's regions in the page."""
    n_left = len(mask_ids(tab) - ids_of(answer))
    for name in ids_of(answer):
        tab.store(f"a.selectAreas([a.regionStore.regions.find(r => r.cleanId === '{name}')])")
        tab.page.keyboard.press("Backspace")
    tab.wait_for_masks(n_left)


def _n_of(*answers: dict[str, Any]) -> int:
    return len(set[str]().union(*map(ids_of, answers)))


@_BOTH
def test_an_undone_mask_stays_away_and_its_place_gets_one_new_mask(
    tab: LabelingPage, api: LabelStudioApi, backend: Server, config: str
) -> None:
    task = open_flow(tab, api, backend, config, auto_accept=True)
    with tab.held_drafts():  # from which the server would know
        first = tab.click(*CAT)
        undone = tab.click(*CORNER)
        _undo(tab, _n_of(first))
        again = tab.click(*_BESIDE_CORNER)
        assert mask_ids(tab) == ids_of(first) | ids_of(again)
    _undo(tab, _n_of(first))
    tab.wait_until_saved(task)
    assert mask_ids(tab) == ids_of(first)
    edited = tab.click(*CORNER, alt=True)  # beside all masks: the last one that stands
    assert ids_of(edited) == ids_of(first)
    assert mask_ids(tab) == ids_of(first)
    assert ids_of(undone).isdisjoint(mask_ids(tab))


@_BOTH
def test_a_deleted_mask_stays_away_and_its_place_gets_one_new_mask(
    tab: LabelingPage, api: LabelStudioApi, backend: Server, config: str
) -> None:
    task = open_flow(tab, api, backend, config, auto_accept=True)
    with tab.held_drafts():
        first, deleted = tab.click(*CAT), tab.click(*CORNER)
        _delete(tab, deleted)
        assert mask_ids(tab) == ids_of(first)
        again = tab.click(*_BESIDE_CORNER)
        assert mask_ids(tab) == ids_of(first) | ids_of(again)
    _delete(tab, again)
    tab.wait_until_saved(task)
    new = tab.click(*CORNER)
    assert ids_of(new).isdisjoint(ids_of(deleted) | ids_of(again))
    assert mask_ids(tab) == ids_of(first) | ids_of(new)


@_BOTH
def test_a_mask_lost_by_a_reload_before_it_was_saved_stays_away(
    tab: LabelingPage, api: LabelStudioApi, backend: Server, config: str
) -> None:
    task = open_flow(tab, api, backend, config, auto_accept=True)
    with tab.held_drafts():
        lost = tab.click(*CAT)
        tab.reload()
    assert mask_ids(tab) == set()
    tab.switch_on_clicking()
    tab.switch_auto_accept(True)
    assert tab.click(*CAT, alt=True)["data"]["result"] == []
    new = tab.click(*CAT)
    assert ids_of(new).isdisjoint(ids_of(lost))
    assert mask_ids(tab) == ids_of(new)
    tab.wait_until_saved(task)
    tab.reload()
    tab.wait_for_masks(_n_of(new))
    tab.switch_on_clicking()
    tab.switch_auto_accept(True)
    edited = tab.click(*CAT, alt=True, on_mask=True)  # what was saved is there, and is edited
    assert ids_of(new) & ids_of(edited)
    assert not lies_at(mask_of_answer(edited), *CAT)


def test_two_tabs_keep_their_masks_apart(
    tab: LabelingPage, other_page: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    task = open_flow(tab, api, backend, "auto_accept.xml", auto_accept=True)
    with tab.held_drafts():
        first = tab.click(*CAT)
        project = int(tab.page.url.split("/projects/")[1].split("/")[0])
        other_page.open_task(project, task)
        other_page.switch_on_clicking()
        other_page.switch_auto_accept(True)
        assert other_page.click(*CAT, alt=True)["data"]["result"] == []
        second = other_page.click(*CAT)
        assert (mask_ids(tab), mask_ids(other_page)) == (ids_of(first), ids_of(second))
    tab.wait_until_saved(task)
    other_page.wait_until_saved(task)
    edited = other_page.click(*CAT, alt=True, on_mask=True)
    assert ids_of(edited) == ids_of(second)
    assert (mask_ids(tab), mask_ids(other_page)) == (ids_of(first), ids_of(second))
