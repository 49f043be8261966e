"""Which label a mask gets where its click has none or another one."""

from typing import Any

from tests.unit.backend.answering.clicked_page import ClickedPage, mask_of
from tests.unit.backend.page import (
    point,
)


def _labels(row: dict[str, Any]) -> list[str]:
    labels: list[str] = row["value"]["brushlabels"]
    return labels


def _plain(name: str, x: float, y: float) -> dict[str, Any]:
    """A point of a `<KeyPoint>` while no label is chosen."""
    placed = point(name, x, y)
    value = {"x": placed["value"]["x"], "y": placed["value"]["y"]}
    return {**placed, "type": "keypoint", "from_name": "click", "value": value}


def test_a_click_without_a_label_gets_that_of_the_last_object() -> None:
    page = ClickedPage()
    (first,) = page.ask(_plain("o", 30, 30))
    dog = page.click("p", 30, 100, label="Dog")
    (after,) = page.ask(_plain("q", 100, 30))
    assert [_labels(region) for region in (first, dog, after)] == [["Cat"], ["Dog"], ["Dog"]]
    page.save(first, dog, {**after, "value": {**after["value"], "brushlabels": ["Cat"]}})
    (later,) = page.ask(_plain("r", 100, 100))
    assert _labels(later) == ["Cat"]  # what it was changed to


def test_a_click_without_a_label_gets_none_of_an_undone_object() -> None:
    page = ClickedPage()
    cat, _ = page.click("p", 30, 60), page.click("q", 100, 60, label="Dog")
    page.save(cat)
    (later,) = page.ask(_plain("r", 160, 60))
    assert _labels(later) == ["Cat"]


def test_alt_on_a_mask_of_another_label_takes_away_there() -> None:
    page = ClickedPage()
    cat = page.click("p", 30, 60)
    dog = page.click("q", 120, 60, label="Dog")
    taken = page.click("n", 30, 70, label="Dog", is_positive=False)
    assert (taken["id"], _labels(taken)) == (cat["id"], ["Cat"])
    assert not mask_of(taken)[70, 30]
    beside = page.click("m", 160, 60, label="Dog", is_positive=False)
    assert beside["id"] == dog["id"]
