import threading

import pytest

from backend.label_studio.access import LabelStudioAccess, LabelStudioError
from backend.label_studio.drafts import SavedDrafts
from tests.unit.backend.page import ProjectSite, point, saved

_MINE = frozenset({"mine"})


def _drafts(site: ProjectSite, limit_s: float = 5.0) -> SavedDrafts:
    access = LabelStudioAccess(url=site.url, api_key="key")
    return SavedDrafts(access, limit_s=limit_s, every_s=0.01)


def test_a_draft_is_waited_for_and_must_have_a_point_of_the_click() -> None:
    site = ProjectSite()
    site.drafts = [saved(point("theirs", 1, 1)), {"result": None}, {"result": ["odd"]}]
    mine = saved(point("mine", 1, 1))

    def save() -> None:
        site.drafts = [*(site.drafts or []), mine]

    threading.Timer(0.1, save).start()
    assert _drafts(site).of_points("7", _MINE) == [mine]
    assert site.n_asked_for_drafts > 1


def test_waiting_ends() -> None:
    site = ProjectSite()
    site.drafts = []
    assert _drafts(site, 0.05).of_points("7", _MINE) == []

    def leave() -> None:
        raise RuntimeError("nobody waits")

    with pytest.raises(RuntimeError):
        _drafts(site).of_points("7", _MINE, leave)


def test_a_label_studio_that_cannot_be_asked_is_an_error_at_once() -> None:
    site = ProjectSite()
    with pytest.raises(LabelStudioError, match="answered 500 about the drafts of task 7"):
        _drafts(site).of_points("7", _MINE)
    with pytest.raises(LabelStudioError, match="expected a number"):
        _drafts(site).of_points("../projects", _MINE)
    site.drafts = {"detail": "odd"}  # type: ignore[assignment]
    assert _drafts(site, 0.02).of_points("7", _MINE) == []
