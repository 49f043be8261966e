"""Click sequences: what is written, what is not, and what is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image

from backend.cli import main
from backend.images.address import public_address
from backend.models.served import ServedModels
from backend.recording.objects import RecordedObject, read_objects
from backend.recording.report import figures, write_report
from backend.recording.store import AnswerRow, SessionStore
from backend.recording.targets import add_clicks, targets_of
from backend.server.routes import add_routes
from backend.server.service import create_service
from backend.settings import Settings
from backend.storage.file_database import FileDatabase
from backend.storage.packed_runs import pack, unpack
from backend.storage.shared_state import SharedState
from backend.storage.tables import SESSIONS
from mfp_model.errors import DataError, ImageError
from mfp_model.evaluation.datasets import coco_objects
from mfp_model.evaluation.recorded import ious_after_clicks, score_curves
from mfp_model.fine_tuning.gate import MIN_RECORDED, judge_corrections, verdict
from mfp_model.masks.rle import encode_mask
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Click
from tests.fakes import DiskSegmenter, temporary_settings
from tests.unit.backend.page import HEIGHT, WIDTH, box, point, request, row, saved

CAT = box(20, 20, 80, 100)


class _Person:
    """Clicks and saves, as Label Studio tells of it."""

    def __init__(self, settings: Settings) -> None:
        models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
        self._service = create_service(settings, models=models)
        app = Flask("test")
        add_routes(app, self._service)
        self._client = app.test_client()
        self.state = SharedState(settings.data_dir)
        self.file = self.state.data.sessions_file

    def click(self, *points: dict[str, Any], **task: object) -> dict[str, Any]:
        answer = self._client.post("/predict", json=request(*points, **task))
        found: dict[str, Any] = answer.json["results"][0]["result"][0]
        return found

    def save(self, *rows: dict[str, Any], action: str = "ANNOTATION_CREATED") -> None:
        body = {
            "action": action,
            "project": {"id": 3},
            "task": {"id": 7},
            "annotation": {"id": 5, "result": list(rows)},
            "annotations": [{"id": 5}],
        }
        assert self._client.post("/webhook", json=body).status_code == 200

    def objects(self) -> list[RecordedObject]:
        self._service.recorder.wait()
        return read_objects(self.state.recorded())


@pytest.fixture
def person() -> _Person:
    return _Person(temporary_settings())


def _corrected(answer: dict[str, Any], mask: NDArray[np.bool_]) -> dict[str, Any]:
    return row(answer["id"], mask)


def test_an_object_is_its_clicks_and_what_was_saved(person: _Person) -> None:
    first, second = point("p1", 50, 60), point("p2", 90, 60, is_positive=False)
    person.click(first)
    answer = person.click(first, second)
    person.save(_corrected(answer, CAT))
    (one,) = person.objects()
    assert (one.project, one.task, one.label, one.version) == ("3", "7", "Cat", "disks-1")
    assert one.clicks == (Click(x=50, y=60), Click(x=90, y=60, is_positive=False))
    assert [len(found.clicks) for found in one.answers] == [1, 2]
    assert one.prior is None
    assert one.final is not None
    np.testing.assert_array_equal(one.final.runs.mask(), CAT)
    assert 0 < one.ious()[0] < 1
    assert one.image.startswith("data:sha256-")


def test_undone_and_moved_points_stay_the_same_object(person: _Person) -> None:
    first, second = point("p1", 50, 60), point("p2", 90, 60)
    person.click(first)
    person.click(first, second)
    person.click(first)
    person.click(point("p1", 51, 60))
    person.click(point("other", 150, 60))
    assert [len(one.answers) for one in person.objects()] == [4, 1]


def test_only_the_last_save_counts_and_a_deleted_mask_was_not_accepted(person: _Person) -> None:
    answer = person.click(point("p1", 50, 60))
    other = person.click(point("p2", 150, 60))
    person.save(_corrected(answer, CAT), _corrected(other, CAT), row("drawn by hand", CAT))
    smaller = box(30, 30, 60, 60)
    person.save(_corrected(answer, smaller), action="ANNOTATION_UPDATED")
    first, second = person.objects()
    assert first.final is not None
    np.testing.assert_array_equal(first.final.runs.mask(), smaller)
    assert second.final is None
    person.save(action="ANNOTATIONS_DELETED")
    assert all(one.final is None for one in person.objects())


def test_an_edited_mask_was_accepted_before(person: _Person) -> None:
    answer = person.click(point("p1", 50, 60))
    there = saved(_corrected(answer, CAT))
    again = person.click(point("p2", 75, 60), drafts=[there])
    assert again["id"] == answer["id"]
    person.save(_corrected(again, box(20, 20, 95, 100)))
    first, second = person.objects()
    for mask in (first.final, second.prior):
        assert mask is not None
        np.testing.assert_array_equal(mask.runs.mask(), CAT)
    assert second.final is not None


def test_corrections_that_are_edits_are_clicks_on_the_same_object(
    person: _Person, tmp_path: Path
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
    found = figures("all", [edited, other])
    assert (found.clicks, found.n_edits) == (3, 0)
    assert found.first_iou is not None
    assert found.first_iou < 0.9
    page = tmp_path / "report.html"
    write_report(page, [edited, other], label_studio_url="")
    assert "clicks: 3" in page.read_text()


def test_clicks_of_an_edit_that_was_undone_do_not_count(person: _Person) -> None:
    first = person.click(point("p1", 50, 60))
    person.click(point("p2", 65, 60), drafts=[saved(first)])
    person.click(point("p3", 60, 70), drafts=[saved(first)])  # the page went back
    (edited,) = person.objects()
    assert edited.clicks == (Click(x=50, y=60), Click(x=60, y=70))


def test_what_is_corrected_soon_after_it_was_submitted_is_the_same_object(person: _Person) -> None:
    first = person.click(point("p1", 50, 60))
    person.save(first)
    person.objects()
    person.click(point("p2", 65, 60), drafts=[saved(first)])
    (one,) = person.objects()
    assert one.clicks == (Click(x=50, y=60), Click(x=65, y=60))
    assert one.prior is None


def test_what_is_edited_long_after_it_was_submitted_is_another_object(
    person: _Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = person.click(point("p1", 50, 60))
    person.save(first)
    person.objects()
    monkeypatch.setattr("backend.answering.answered._KEPT_S", 0.0)
    person.click(point("p2", 65, 60), drafts=[saved(first)])
    before, after = person.objects()
    assert (len(before.clicks), len(after.clicks)) == (1, 1)
    assert after.prior is not None


def test_nothing_is_recorded_where_it_is_switched_off() -> None:
    person = _Person(temporary_settings(sessions_mb=0))
    person.click(point("p1", 50, 60))
    person.save()
    assert not person.file.exists()
    with pytest.raises(DataError, match="nothing was recorded"):
        person.objects()


def test_neither_names_nor_image_content_are_written(person: _Person) -> None:
    body = request(point("p1", 50, 60))
    person.click(point("p1", 50, 60))
    person.objects()
    content = person.file.read_bytes()
    content += person.file.with_name(person.file.name + "-wal").read_bytes()
    assert body["tasks"][0]["data"]["image"][-60:].encode() not in content
    assert public_address("https://me:word@host/a.jpg?signature=x#y") == "https://host/a.jpg"
    assert public_address("/data/local-files/?d=a.jpg") == "/data/local-files/?d=a.jpg"
    assert public_address("s3://bucket/a.jpg") == "s3://bucket/a.jpg"


def test_the_file_keeps_its_size_and_the_newest_rows(tmp_path: Path) -> None:
    now = 0.0
    database = FileDatabase(tmp_path / "s.sqlite3", SESSIONS)
    store = SessionStore(database, max_bytes=300_000, clock=lambda: now)
    generator = np.random.default_rng(0)
    for number in range(400):
        now = float(number)
        noise = pack(MaskRuns.of(generator.random((40, 40)) < 0.5))
        answer = AnswerRow(
            at=now,
            project="3",
            task="7",
            image="image",
            width=40,
            height=40,
            label="Cat",
            version="v1",
            points=[f"p{number}"],
            clicks=[(1, 1, 1)],
            regions=[f"r{number}"],
            prior=None,
            answer=noise,
        )
        store.add_answer(answer)
        store.add_save("3", "7", str(number), "ANNOTATION_CREATED", [(f"r{number}", "Cat", noise)])
    store.trim()
    objects = read_objects(database)
    assert 20 < len(objects) < 400
    assert objects[-1].answers[0].at == 399
    assert (tmp_path / "s.sqlite3").stat().st_size < 1_000_000


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_packed_masks_come_back(mask: NDArray[np.bool_]) -> None:
    height, width = mask.shape
    packed = pack(MaskRuns.of(mask))
    np.testing.assert_array_equal(unpack(packed, height=height, width=width).mask(), mask)
    with pytest.raises(DataError, match="packed mask of"):
        unpack(packed, height=height, width=width + 1)
    with pytest.raises(DataError, match="damaged"):
        unpack(packed[:-3], height=height, width=width)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(), number=st.integers(min_value=1))
def test_odd_names_can_be_recorded(person: _Person, name: str, number: int) -> None:
    before = len(person.objects()) if person.file.exists() else 0
    person.click(point(f"{name}\ud800{uuid4()}", 50, 60, label="Cat"), id=number)
    assert len(person.objects()) == before + 1


def test_the_report_tells_clicks_and_failures(person: _Person, tmp_path: Path) -> None:
    first, second = point("p1", 50, 60), point("p2", 90, 60)
    person.click(first)
    answer = person.click(first, second)
    one_click = person.click(point("p3", 150, 60, label="Dog"))
    person.click(point("p4", 180, 20))
    person.save(_corrected(answer, CAT), row(one_click["id"], box(140, 50, 160, 70), "Dog"))
    objects = person.objects()
    found = figures("all", objects)
    assert (found.n_objects, found.n_accepted, found.clicks) == (3, 2, 1.5)
    assert found.accepted_after == (1 / 3, 2 / 3, 2 / 3)
    write_report(tmp_path / "report.html", objects, label_studio_url="http://studio")
    page = (tmp_path / "report.html").read_text()
    assert 'href="http://studio/projects/3/data?task=7"' in page
    for name in ("Cat", "Dog", "disks-1"):
        assert f"<td>{name}<td>" in page
    assert page.count("data:image/png") == 4


def test_a_report_without_anything_saved_is_one_too(person: _Person, tmp_path: Path) -> None:
    person.click(point("p1", 50, 60))
    write_report(tmp_path / "report.html", person.objects(), label_studio_url="")
    page = (tmp_path / "report.html").read_text()
    assert "Not saved: 1" in page
    assert "0.000" not in page
    assert "data:image/png" not in page  # no axes without anything to draw
    assert "<td>–<td>–" in page
    found = figures("all", person.objects())
    assert (found.clicks, found.seconds, found.first_iou) == (None, None, None)


def test_a_good_first_answer_is_not_called_wrong(person: _Person, tmp_path: Path) -> None:
    person.save(person.click(point("p1", 50, 60)))
    write_report(tmp_path / "report.html", person.objects(), label_studio_url="")
    page = (tmp_path / "report.html").read_text()
    assert "furthest off" not in page
    assert "No first answer was off by much" in page


def test_objects_are_shown_on_their_photos_where_these_can_be_had(
    person: _Person, tmp_path: Path
) -> None:
    person.save(_corrected(person.click(point("p1", 50, 60)), CAT))
    pages = []
    for shade in (None, 200):
        image = None if shade is None else np.full((HEIGHT, WIDTH, 3), shade, np.uint8)
        path = tmp_path / f"{shade}.html"
        write_report(
            path, person.objects(), label_studio_url="", image_of=lambda clicked, i=image: i
        )
        pages.append(path.read_text())
    assert pages[0] != pages[1]


class _Photo:
    def mounted(self, address: str) -> Path | None:
        return None

    def read(self, address: str, task_id: str) -> bytes:
        import io

        if task_id != "7":
            raise ImageError("gone")
        buffer = io.BytesIO()
        Image.new("RGB", (WIDTH, HEIGHT)).save(buffer, "PNG")
        return buffer.getvalue()


def test_recorded_clicks_are_replayed_against_any_segmenter(person: _Person) -> None:
    first, second = point("p1", 30, 60), point("p2", 70, 60)
    person.click(first)
    answer = person.click(first, second)
    person.save(_corrected(answer, CAT))
    person.click(point("p3", 150, 60))
    problems: list[str] = []
    targets = list(targets_of(person.objects(), _Photo(), max_megapixels=1, problems=problems))
    assert len(targets) == 1
    large, small = (
        score_curves([ious_after_clicks(DiskSegmenter(radius=r), targets[0])]) for r in (30, 10)
    )
    assert large.miou_at[0] < large.miou_at[1] == large.final_iou
    assert large.mean_iou > small.mean_iou
    assert (large.n_objects, large.n_clicks) == (1, 2)
    objects = person.objects()
    objects[0].task = "8"
    assert not list(targets_of(objects, _Photo(), max_megapixels=1, problems=problems))
    assert problems == ["project 3 task 8: gone"]
    with pytest.raises(DataError, match="nothing to replay"):
        score_curves([])


def _export(folder: Path, regions: list[str]) -> None:
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "images" / "7-a.png")
    image = {"id": 7, "file_name": "7-a.png", "width": WIDTH, "height": HEIGHT}
    annotations = [
        {
            "id": number,
            "image_id": 7,
            "iscrowd": 0,
            "segmentation": encode_mask(CAT),
            "label_studio": {"region": region},
        }
        for number, region in enumerate(regions, start=1)
    ]
    content = {"images": [{**image, "label_studio": {"task": 7}}], "annotations": annotations}
    (folder / "annotations.json").write_text(json.dumps(content))


@pytest.mark.slow
def test_the_gate_replays_what_was_recorded_of_held_out_objects(
    person: _Person, tmp_path: Path
) -> None:
    answers = [person.click(point(f"p{n}", 30 + 10 * n, 60)) for n in range(MIN_RECORDED)]
    there = saved(row("there", box(20, 20, 40, 100)))
    person.click(point("edit", 30, 30), point("more", 60, 60), drafts=[there])
    _export(tmp_path, [*(answer["id"] for answer in answers), "there", "by hand"])
    assert add_clicks(tmp_path, person.objects()) == MIN_RECORDED + 1
    targets = list(coco_objects(tmp_path))
    assert [len(target.clicks) for target in targets] == [*[1] * MIN_RECORDED, 2, 0]
    assert targets[-2].prior is not None
    base = judge_corrections(DiskSegmenter(radius=30), tmp_path)
    worse = judge_corrections(DiskSegmenter(radius=8), tmp_path)
    assert base.recorded is not None
    assert base.recorded.n_objects == MIN_RECORDED + 1
    assert base.from_json(json.loads(json.dumps(base.as_json()))) == base
    decision = verdict(worse, base)
    assert not decision.passes
    assert decision.reason.startswith("worse on recorded clicks")


def test_the_command_writes_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MFP_DATA_DIR", str(tmp_path / "data"))
    assert main(["sessions", "report", "--out", str(tmp_path / "r.html")]) == 1
    person = _Person(Settings(data_dir=tmp_path / "data"))
    person.click(point("p1", 50, 60))
    person.objects()
    report = ["sessions", "report", "--out", str(tmp_path / "r.html"), "--json"]
    assert main([*report, "--project", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["n_objects"] == 1
    assert main([*report, "--project", "4"]) == 1
