import threading
import time
from pathlib import Path
from typing import NoReturn

import pytest

from backend.label_studio.access import LabelStudioAccess, LabelStudioError
from backend.label_studio.projects import UNKNOWN_RULES, ProjectRules, ProjectSettings
from tests.unit.backend.page import ProjectSite


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _asking(
    site: ProjectSite, clock: _Clock, *, key: str = "key", changes: Path | None = None
) -> ProjectSettings:
    access = LabelStudioAccess(url=site.url, api_key=key)
    return ProjectSettings(access, changes=changes, clock=clock, max_wait_s=5)


def test_a_project_says_how_many_annotate_and_whether_predictions_are_shown() -> None:
    site = ProjectSite(maximum_annotations=2, show_collab_predictions=False, model_version="m-1")
    rules = _asking(site, _Clock()).of("3")
    assert rules == ProjectRules(n_annotators=2, shows_predictions=False, model_version="m-1")


def test_it_is_asked_once_a_minute() -> None:
    site, clock = ProjectSite(), _Clock()
    projects = _asking(site, clock)
    for _ in range(3):
        projects.of("3")
    assert site.n_asked == 1


def test_what_it_said_holds_ten_minutes_where_it_cannot_be_asked_again() -> None:
    site, clock = ProjectSite(), _Clock()
    projects = _asking(site, clock)
    assert projects.of("3").n_annotators == 1
    site.is_up = False
    clock.now = 500
    assert projects.of("3").n_annotators == 1
    clock.now = 700
    rules = projects.of("3")
    assert rules.n_annotators is None
    assert "500" in rules.doubt


def test_a_click_does_not_wait_for_a_label_studio_that_is_slow() -> None:
    site = ProjectSite()
    projects = ProjectSettings(LabelStudioAccess(url=site.url, api_key="key"), max_wait_s=0.05)
    with site.lock:
        assert projects.of("3").doubt == "Label Studio has not answered yet"


@pytest.mark.parametrize(("key", "project"), [("", "3"), ("key", ""), ("key", "../users")])
def test_without_a_token_or_a_project_nothing_is_asked(key: str, project: str) -> None:
    site = ProjectSite()
    assert _asking(site, _Clock(), key=key).of(project) == UNKNOWN_RULES
    assert site.n_asked == 0


@pytest.mark.parametrize("project", ["3", "4"])
def test_what_it_does_not_say_is_not_known(project: str) -> None:
    site = ProjectSite(maximum_annotations=None, show_collab_predictions="yes")
    rules = _asking(site, _Clock()).of(project)
    assert rules.n_annotators is None
    assert rules.shows_predictions is None
    assert rules.doubt


class _Hanging(LabelStudioAccess):
    """A Label Studio that answers nobody until it is let."""

    def __init__(self) -> None:
        super().__init__(url="http://127.0.0.1:9", api_key="key")
        self.go_on, self.n_asked = threading.Event(), 0

    def request(self, *arguments: object, **further: object) -> NoReturn:
        self.n_asked += 1
        self.go_on.wait(20)
        raise LabelStudioError("away")


def test_a_label_studio_that_hangs_gathers_no_line_of_questions() -> None:
    access = _Hanging()
    projects = ProjectSettings(access, max_wait_s=0)
    for number in range(1, 1001):
        projects.prepare(f"{number}")
    access.go_on.set()
    until = time.monotonic() + 20
    while projects.of("100").doubt != "away":
        assert time.monotonic() < until
    assert access.n_asked <= 101


def test_certificates_that_were_away_for_a_while_are_no_lasting_failure(tmp_path: Path) -> None:
    access = LabelStudioAccess(
        url="https://127.0.0.1:9", api_key="key", ca_bundle=tmp_path / "certificates.pem"
    )
    clock = _Clock()
    projects = ProjectSettings(access, clock=clock, max_wait_s=5)
    assert "certificates.pem" in projects.of("3").doubt
    access.verify = True
    clock.now = 700
    assert "ConnectionError" in projects.of("3").doubt


def test_a_change_that_label_studio_tells_counts_at_the_next_click_in_all_workers(
    tmp_path: Path,
) -> None:
    site, clock = ProjectSite(model_version="m-1"), _Clock()
    workers = [_asking(site, clock, changes=tmp_path / "changed") for _ in range(2)]
    assert [worker.of("3").model_version for worker in workers] == ["m-1", "m-1"]
    site.project["model_version"] = "m-2"
    workers[0].changed()
    assert [worker.of("3").model_version for worker in workers] == ["m-2", "m-2"]
    assert site.n_asked == 4


def test_after_a_change_clicks_do_not_wait_for_a_label_studio_that_went_away() -> None:
    site, clock = ProjectSite(), _Clock()
    projects = _asking(site, clock)
    assert projects.of("3").n_annotators == 1
    site.is_up = False
    projects.changed()
    assert [projects.of("3").n_annotators for _ in range(3)] == [1, 1, 1]
    assert site.n_asked == 2
