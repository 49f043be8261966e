"""The report on how people clicked."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.cli import main
from backend.recording.sessions_report import figures, write_report
from backend.recording.sessions_report_apart import report_page_apart
from backend.settings import Settings
from backend.storage.errors import StorageError
from mfp_model.masks.runs import MaskRuns
from tests.unit.backend.page import HEIGHT, WIDTH, box, point, row
from tests.unit.backend.recording.person import CAT, Person, corrected


def test_the_report_tells_clicks_and_failures(person: Person, tmp_path: Path) -> None:
    first, second = point("p1", 50, 60), point("p2", 90, 60)
    person.click(first)
    answer = person.click(first, second)
    one_click = person.click(point("p3", 150, 60, label="Dog"))
    person.click(point("p4", 180, 20))
    person.save(corrected(answer, CAT), row(one_click["id"], box(140, 50, 160, 70), "Dog"))
    objects = person.objects()
    group = figures("all", objects)
    assert (group.n_objects, group.n_accepted, group.clicks) == (3, 2, 1.5)
    assert group.accepted_after == (1 / 3, 2 / 3, 2 / 3)
    write_report(tmp_path / "report.html", objects, label_studio_url="http://studio")
    page = (tmp_path / "report.html").read_text()
    assert 'href="http://studio/projects/3/data?task=7"' in page
    for name in ("Cat", "Dog", "disks-1"):
        assert f"<td>{name}<td>" in page
    assert page.count("data:image/png") == 4


def test_a_report_without_anything_saved_is_one_too(person: Person, tmp_path: Path) -> None:
    person.click(point("p1", 50, 60))
    write_report(tmp_path / "report.html", person.objects(), label_studio_url="")
    page = (tmp_path / "report.html").read_text()
    assert "Not saved: 1" in page
    assert "0.000" not in page
    assert "data:image/png" not in page  # no axes without anything to draw
    assert "<td>–<td>–" in page
    group = figures("all", person.objects())
    assert (group.clicks, group.seconds, group.first_iou) == (None, None, None)


def test_a_good_first_answer_is_not_called_wrong(person: Person, tmp_path: Path) -> None:
    person.save(person.click(point("p1", 50, 60)))
    write_report(tmp_path / "report.html", person.objects(), label_studio_url="")
    page = (tmp_path / "report.html").read_text()
    assert "furthest off" not in page
    assert "No first answer was off by much" in page


def test_objects_are_shown_on_their_photos_where_these_can_be_had(
    person: Person, tmp_path: Path
) -> None:
    person.save(corrected(person.click(point("p1", 50, 60)), CAT))
    pages = []
    for shade in (None, 200):
        image = None if shade is None else np.full((HEIGHT, WIDTH, 3), shade, np.uint8)
        path = tmp_path / f"{shade}.html"
        write_report(
            path, person.objects(), label_studio_url="", image_of=lambda clicked, i=image: i
        )
        pages.append(path.read_text())
    assert pages[0] != pages[1]


def test_the_newest_of_many_versions_have_curves_of_their_own(
    person: Person, tmp_path: Path
) -> None:
    person.save(person.click(point("p1", 50, 60)))
    (clicked,) = person.objects()
    objects = [replace(clicked, version=f"v-{number}") for number in range(60)]
    write_report(tmp_path / "many.html", objects, label_studio_url="")  # a warning is an error
    assert "<td>v-0<td>" in (tmp_path / "many.html").read_text()


def test_an_answer_is_compared_with_what_was_saved_once(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person.save(corrected(person.click(point("p1", 50, 60)), CAT))
    compared = []
    iou = MaskRuns.iou
    monkeypatch.setattr(MaskRuns, "iou", lambda a, b: compared.append(1) or iou(a, b))
    objects = person.objects()
    write_report(tmp_path / "report.html", objects, label_studio_url="")
    figures("all", objects)
    assert len(compared) == 1


@pytest.mark.slow
def test_the_server_has_the_page_made_in_another_process(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = person.state.places
    assert report_page_apart(places, label_studio_url="") is None
    person.save(row(person.click(point("p1", 50, 60))["id"], CAT, "Dög"))
    assert len(person.objects()) == 1
    page = report_page_apart(places, label_studio_url="http://studio")
    assert page is not None
    assert "http://studio/projects/3/data?task=7" in page
    assert "<td>Dög<td>" in page
    with pytest.raises(StorageError, match="MFP_BUCKET: expected MFP_DATABASE_URL beside it"):
        report_page_apart((places[0], "", "s3://bucket"), label_studio_url="")
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(StorageError, match="ended with 1"):
        report_page_apart(places, label_studio_url="")


def test_the_command_writes_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MFP_DATA_DIR", str(tmp_path / "data"))
    assert main(["sessions", "report", "--out", str(tmp_path / "r.html")]) == 1
    person = Person(Settings(data_dir=tmp_path / "data"))
    person.click(point("p1", 50, 60))
    person.objects()
    report = ["sessions", "report", "--out", str(tmp_path / "r.html"), "--json"]
    assert main([*report, "--project", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["n_objects"] == 1
    assert main([*report, "--project", "4"]) == 1
