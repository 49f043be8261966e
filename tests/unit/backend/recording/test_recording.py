"""Click sequences: what is written and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from backend.images.address import public_address
from backend.recording.recorded_objects import read_objects
from backend.recording.sessions_report import figures, write_report
from backend.recording.store import AnswerRow, SessionStore
from backend.storage.file_database import FileDatabase
from backend.storage.packed_runs import pack, unpack
from backend.storage.tables import SESSIONS
from mfp_model.errors import DataError
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Click
from tests.fakes import temporary_settings
from tests.unit.backend.page import box, point, request, row, saved, settings_of
from tests.unit.backend.recording.person import CAT, Person, corrected
from tests.unit.backend.storage.recorded import answer


def test_an_object_is_its_clicks_and_what_was_saved(person: Person) -> None:
    first, second = point("p1", 50, 60), point("p2", 90, 60, is_positive=False)
    person.click(first)
    answer = person.click(first, second)
    person.save(corrected(answer, CAT))
    (entry,) = person.objects()
    assert (entry.project, entry.task, entry.label, entry.version) == ("3", "7", "Cat", "disks-1")
    assert entry.clicks == (Click(x=50, y=60), Click(x=90, y=60, is_positive=False))
    assert [len(reply.clicks) for reply in entry.answers] == [1, 2]
    assert entry.prior is None
    assert entry.final is not None
    np.testing.assert_array_equal(entry.final.runs.mask(), CAT)
    assert 0 < entry.ious()[0] < 1
    assert entry.image.startswith("data:sha256-")


def test_undone_and_moved_points_stay_the_same_object(person: Person) -> None:
    first, second = point("p1", 50, 60), point("p2", 90, 60)
    person.click(first)
    person.click(first, second)
    person.click(first)
    person.click(point("p1", 51, 60))
    person.click(point("other", 150, 60))
    assert [len(entry.answers) for entry in person.objects()] == [4, 1]


def test_clicks_that_correct_a_boxs_mask_are_no_object_of_their_own(person: Person) -> None:
    value = {"x": 10, "y": 20, "width": 40, "height": 60, "rectanglelabels": ["Cat"]}
    drawn = {**point("b", 0, 0), "type": "rectanglelabels", "from_name": "box", "value": value}
    draft = saved(person.click(drawn))
    person.save(person.click(point("n", 90, 60, is_positive=False), drafts=[draft]))
    assert person.objects() == []  # replayed without the box, they would make nothing


def test_only_the_last_save_counts_and_a_deleted_mask_was_not_accepted(person: Person) -> None:
    answer = person.click(point("p1", 50, 60))
    other = person.click(point("p2", 150, 60))
    person.save(corrected(answer, CAT), corrected(other, CAT), row("drawn by hand", CAT))
    smaller = box(30, 30, 60, 60)
    person.save(corrected(answer, smaller), action="ANNOTATION_UPDATED")
    first, second = person.objects()
    assert first.final is not None
    np.testing.assert_array_equal(first.final.runs.mask(), smaller)
    assert second.final is None
    person.save(action="ANNOTATIONS_DELETED")
    assert all(entry.final is None for entry in person.objects())


def test_an_edited_mask_was_accepted_before(person: Person) -> None:
    answer = person.click(point("p1", 50, 60))
    there = saved(corrected(answer, CAT))
    again = person.click(point("p2", 75, 60), drafts=[there])
    assert again["id"] == answer["id"]
    person.save(corrected(again, box(20, 20, 95, 100)))
    first, second = person.objects()
    for mask in (first.final, second.prior):
        assert mask is not None
        np.testing.assert_array_equal(mask.runs.mask(), CAT)
    assert second.final is not None


def test_corrections_that_are_edits_are_clicks_on_the_same_object(
    person: Person, tmp_path: Path
) -> None:
    first = person.click(point("p1", 50, 60))
    there = saved(first)
    second = person.click(point("p2", 65, 60), drafts=[there])
    assert second["id"] == first["id"]
    person.click(point("p3", 160, 60))
    there = saved(second)
    third = person.click(point("p4", 60, 70), drafts=[there])
    person.save(third)
    edited, other = person.objects()
    assert [len(answer.clicks) for answer in edited.answers] == [1, 2, 3]
    assert edited.clicks == (Click(x=50, y=60), Click(x=65, y=60), Click(x=60, y=70))
    assert edited.ious()[0] < edited.ious()[1] < edited.ious()[2] == 1
    assert (edited.prior, other.final) == (None, None)
    gap = edited.answers[2].at - edited.answers[1].at
    whole = edited.answers[2].at - edited.answers[0].at
    assert edited.seconds == pytest.approx(whole - gap)  # meanwhile the other was clicked on
    group = figures("all", [edited, other])
    assert (group.clicks, group.n_edits) == (3, 0)
    assert group.first_iou is not None
    assert group.first_iou < 0.9
    page = tmp_path / "report.html"
    write_report(page, [edited, other], label_studio_url="")
    assert "clicks: 3" in page.read_text()


def test_clicks_of_an_edit_that_was_undone_do_not_count(person: Person) -> None:
    first = person.click(point("p1", 50, 60))
    person.click(point("p2", 65, 60), drafts=[saved(first)])
    person.click(point("p3", 60, 70), drafts=[saved(first)])  # the page went back
    (edited,) = person.objects()
    assert edited.clicks == (Click(x=50, y=60), Click(x=60, y=70))


def test_what_iscorrected_soon_after_it_was_submitted_is_the_same_object(person: Person) -> None:
    first = person.click(point("p1", 50, 60))
    person.save(first)
    person.objects()
    person.click(point("p2", 65, 60), drafts=[saved(first)])
    (entry,) = person.objects()
    assert entry.clicks == (Click(x=50, y=60), Click(x=65, y=60))
    assert entry.prior is None


def test_what_is_edited_long_after_it_was_submitted_is_another_object(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = person.click(point("p1", 50, 60))
    person.save(first)
    person.objects()
    monkeypatch.setattr("backend.answering.answered._KEPT_S", 0.0)
    person.click(point("p2", 65, 60), drafts=[saved(first)])
    before, after = person.objects()
    assert (len(before.clicks), len(after.clicks)) == (1, 1)
    assert after.prior is not None


def test_edits_of_two_people_who_began_with_the_same_prediction_are_two_objects() -> None:
    person = Person(settings_of(maximum_annotations=2))
    there = {"predictions": [saved(row("r1", CAT))]}
    left, right = box(0, 20, 80, 100), box(20, 20, 110, 100)
    person.click(point("p1", 25, 60), **there)
    person.click(point("p2", 75, 60), **there)
    person.save(row("r1", left))
    person.save(row("r1", right), annotation=6)
    finals = [entry.final for entry in person.objects()]
    for final, mask in zip(finals, (left, right), strict=True):
        assert final is not None
        np.testing.assert_array_equal(final.runs.mask(), mask)
    person.save(annotation=5, action="ANNOTATIONS_DELETED")
    assert [entry.final is None for entry in person.objects()] == [True, False]


def test_nothing_is_recorded_where_it_is_switched_off() -> None:
    person = Person(temporary_settings(sessions_mb=0))
    person.click(point("p1", 50, 60))
    person.save()
    assert not person.file.exists()
    with pytest.raises(DataError, match="nothing was recorded"):
        person.objects()


def test_neither_names_nor_image_content_are_written(person: Person) -> None:
    body = request(point("p1", 50, 60))
    person.click(point("p1", 50, 60))
    person.objects()
    content = person.file.read_bytes()
    content += person.file.with_name(person.file.name + "-wal").read_bytes()
    assert body["tasks"][0]["data"]["image"][-60:].encode() not in content
    assert public_address("https://me:word@host/a.jpg?signature=x#y") == "https://host/a.jpg"
    assert public_address("/data/local-files/?d=a.jpg") == "/data/local-files/?d=a.jpg"
    assert public_address("s3://bucket/a.jpg") == "s3://bucket/a.jpg"


def _answer(
    at: float, mask: bytes, *, points: Sequence[str] = (), regions: Sequence[str] = ()
) -> AnswerRow:
    return replace(
        answer(int(at)),
        width=40,
        height=40,
        points=list(points) or [f"p{at:.0f}"],
        clicks=[(1, 1, 1)] * max(1, len(points)),
        regions=list(regions) or [f"r{at:.0f}"],
        answer=mask,
    )


def test_what_one_worker_writes_later_than_another_is_in_order(tmp_path: Path) -> None:
    database = FileDatabase(tmp_path / "sessions.sqlite3", SESSIONS)
    store = SessionStore(database, max_bytes=1e9)
    mask = pack(MaskRuns.of(np.ones((40, 40), dtype=np.bool_)))
    for at, points in ((3.0, ["p1", "p2"]), (2.0, ["p1"])):
        store.add_answer(_answer(at, mask, points=points, regions=["r"]))
    (entry,) = read_objects(database)
    assert (len(entry.clicks), entry.seconds) == (2, 1)


def test_the_file_keeps_its_size_and_the_newest_rows(tmp_path: Path) -> None:
    now = 0.0
    database = FileDatabase(tmp_path / "s.sqlite3", SESSIONS)
    store = SessionStore(database, max_bytes=300_000, clock=lambda: now)
    generator = np.random.default_rng(0)
    for number in range(400):
        now = float(number)
        noise = pack(MaskRuns.of(generator.random((40, 40)) < 0.5))
        store.add_answer(_answer(now, noise))
        store.add_save("3", "7", str(number), "ANNOTATION_CREATED", [(f"r{number}", "Cat", noise)])
    store.trim()
    objects = read_objects(database)
    assert 20 < len(objects) < 400
    assert objects[-1].answers[0].at == 399
    assert (tmp_path / "s.sqlite3").stat().st_size < 1_000_000


def test_what_was_saved_ever_so_often_makes_room_for_new_answers(tmp_path: Path) -> None:
    now = 0.0
    database = FileDatabase(tmp_path / "s.sqlite3", SESSIONS)
    store = SessionStore(database, max_bytes=120_000, clock=lambda: now)
    saved = [(f"r{number}", "Cat", b"mask") for number in range(50)]
    store.add_answer(_answer(0, b"mask"))
    for number in range(40):
        now = float(number)
        store.add_save("3", "7", "5", "ANNOTATION_UPDATED", saved)
    store.add_answer(_answer(40, b"mask"))
    store.trim()
    assert (database.file_bytes() or 0) <= 120_000
    assert [row.at for row in store.answers("")] == [40]


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_packed_masks_come_back(mask: NDArray[np.bool_]) -> None:
    height, width = mask.shape
    packed = pack(MaskRuns.of(mask))
    np.testing.assert_array_equal(unpack(packed, height=height, width=width).mask(), mask)
    with pytest.raises(DataError, match="packed mask of"):
        unpack(packed, height=height, width=width + 1)
    with pytest.raises(DataError, match="damaged"):
        unpack(packed[:-3], height=height, width=width)


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(), number=st.integers(min_value=1))
def test_odd_names_can_be_recorded(person: Person, name: str, number: int) -> None:
    before = len(person.objects()) if person.file.exists() else 0
    person.click(point(f"{name}\ud800{uuid4()}", 50, 60, label="Cat"), id=number)
    assert len(person.objects()) == before + 1
