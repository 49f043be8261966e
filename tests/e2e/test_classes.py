"""Several classes in the real page: what a hand does for each object, with what is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.bench.tray import draw_tray, tray_places
from backend.demo.processes import Server
from backend.label_studio.api import LabelStudioApi
from tests.benchmarks.page_flows import Hand
from tests.e2e.flows import CONFIGS, open_only_task
from tests.e2e.labeling_page import LabelingPage

pytestmark = pytest.mark.browser

_AUTO = {"brush": "several_classes.xml", "polygons": "several_classes_polygons.xml"}
_PLACES = tray_places()


def _open(
    tab: LabelingPage,
    api: LabelStudioApi,
    backend: Server,
    tmp_path: Path,
    kind: str,
    *,
    auto: bool,
) -> Hand:
    """Open a tray of coins with what is shipped for a kind of masks."""
    config = (CONFIGS / _AUTO[kind]).read_text()
    if auto:
        config = config.replace('smart="false"', 'smart="false" autoAccept="true"')
    project = api.create_project(f"classes {kind}", config)
    api.upload(project, [draw_tray(tmp_path / "tray.png", width=640, height=480)])
    open_only_task(tab, api, backend.url, project, auto_accept=auto)
    return Hand(tab=tab, is_auto=auto)


def _object(hand: Hand, number: int, key: str = "") -> int:
    """Make an object of a coin, and return what the hand did."""
    before = hand.n_actions
    if key:
        hand.press_label(key)
    hand.click(*_PLACES[number])
    hand.accept()
    return hand.n_actions - before


def _labels(tab: LabelingPage) -> list[str]:
    return [mask["label"] for mask in tab.masks()]


@pytest.mark.parametrize("auto", [False, True])
def test_with_polygons_a_key_is_pressed_only_where_the_class_changes(
    tab: LabelingPage, api: LabelStudioApi, backend: Server, tmp_path: Path, auto: bool
) -> None:
    hand = _open(tab, api, backend, tmp_path, "polygons", auto=auto)
    check = 0 if auto else 1
    assert _object(hand, 0) == 1 + check
    assert _object(hand, 1, "a") == 2 + check
    assert _object(hand, 2) == 1 + check
    assert _object(hand, 3, "s") == 2 + check
    assert _labels(tab) == ["Person", "Animal", "Animal", "Thing"]
    if auto:
        tab.page.keyboard.press("Control+z")  # after which the page shows no label as chosen
        tab.wait_for_masks(3)
        assert _object(hand, 3, "s") == 2
    hand.press_label("s")  # chosen before: now none is
    assert _object(hand, 4) == 1 + check
    assert _labels(tab) == ["Person", "Animal", "Animal", "Thing", "Thing"]


def test_with_brush_masks_a_key_is_pressed_before_each_click(
    tab: LabelingPage, api: LabelStudioApi, backend: Server, tmp_path: Path
) -> None:
    hand = _open(tab, api, backend, tmp_path, "brush", auto=True)
    assert _object(hand, 0, "q") == _object(hand, 1, "a") == _object(hand, 2, "a") == 2
    assert _labels(tab) == ["Person", "Animal", "Animal"]
    n_before = len(tab.asked)
    tab.start_click(*_PLACES[3])  # no label is chosen
    tab.page.wait_for_timeout(500)
    assert len(tab.asked) == n_before
