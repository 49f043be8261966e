"""Recorded clicks as targets: replayed against any segmenter."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from backend.recording.replayed import add_clicks, targets_of
from mfp_model.errors import DataError, ImageError
from mfp_model.evaluation.datasets import coco_objects
from mfp_model.evaluation.recorded import ious_after_clicks, score_curves
from mfp_model.fine_tuning.gate import MIN_RECORDED, judge_corrections, verdict
from mfp_model.masks.rle import encode_mask
from tests.fakes import DiskSegmenter
from tests.unit.backend.page import HEIGHT, WIDTH, box, point, row, saved
from tests.unit.backend.recording.person import CAT, Person, corrected


class _Photo:
    def mounted(self, address: str) -> Path | None:
        return None

    def read(self, address: str, task_id: str) -> bytes:
        if task_id != "7":
            raise ImageError("gone")
        buffer = io.BytesIO()
        Image.new("RGB", (WIDTH, HEIGHT)).save(buffer, "PNG")
        return buffer.getvalue()


def test_recorded_clicks_are_replayed_against_any_segmenter(person: Person) -> None:
    first, second = point("p1", 30, 60), point("p2", 70, 60)
    person.click(first)
    answer = person.click(first, second)
    person.save(corrected(answer, CAT))
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
    person: Person, tmp_path: Path
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
