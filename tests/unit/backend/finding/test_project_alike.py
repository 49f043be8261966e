"""`mfp annotate --like`: what looks like one region, on all tasks of a project."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backend.cli import main
from backend.label_studio.brush_rle import decode, encode
from mfp_model.masks.polygons import mask_of
from tests.fakes import ClickSegmenter, DiskSegmenter, temporary_settings
from tests.unit.backend.finding.test_finding import serving

_HEIGHT, _WIDTH, _RADIUS = 120, 200, 12
_FIRST = ((30, 30), (90, 40), (150, 30))
_SECOND = ((60, 90), (140, 85))
_CONFIG = """<View><Image name="image" value="$image"/>
  <{kind} name="mask" toName="image"><Label value="Cat"/><Label value="Dog"/></{kind}></View>"""

Run = Any  # runs the command on tasks, and returns its exit code


def _disk(x: int, y: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 < _RADIUS**2)


def _uri(*places: tuple[int, int]) -> str:
    image = np.full((_HEIGHT, _WIDTH, 3), 90, np.uint8)
    for place in places:
        image[_disk(*place)] = (220, 60, 40)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _region(name: str, x: int, y: int, label: str = "Dog", **more: object) -> dict[str, Any]:
    return {
        "id": name,
        "type": "brushlabels",
        "from_name": "mask",
        "to_name": "image",
        "original_width": _WIDTH,
        "original_height": _HEIGHT,
        "value": {"format": "rle", "rle": encode(_disk(x, y)), "brushlabels": [label]},
        **more,
    }


def _task(number: int, image: str, *rows: dict[str, Any], **more: object) -> dict[str, Any]:
    annotations = [{"id": 10 * number, "result": list(rows)}] if rows else []
    return {
        "id": number,
        "data": {"image": image},
        "annotations": annotations,
        "drafts": [],
        "predictions": [],
        **more,
    }


def _tasks() -> list[dict[str, Any]]:
    """Two images with like disks; the first one's first disk and its third are masks already."""
    there = [_region("example", *_FIRST[0]), _region("other", *_FIRST[2], "Cat")]
    return [_task(4, _uri(*_FIRST), *there), _task(6, _uri(*_SECOND)), _task(9, _uri())]


def _hit(entry: dict[str, Any]) -> set[tuple[int, int]]:
    masks = []
    for row in entry["result"]:
        if row["type"] == "brushlabels":
            masks.append(decode(row["value"]["rle"], height=_HEIGHT, width=_WIDTH) > 0)
        else:
            points = np.array(row["value"]["points"]) / 100 * (_WIDTH, _HEIGHT)
            masks.append(mask_of([points], height=_HEIGHT, width=_WIDTH))
    return {(x, y) for x, y in (*_FIRST, *_SECOND) for mask in masks if mask[y, x]}


@pytest.fixture
def stored() -> list[dict[str, Any]]:
    """What the command stored."""
    return []


class _InBfloat16(ClickSegmenter):
    @property
    def version(self) -> str:
        return "disks-1-bf16"  # which a machine that goes on may not compute in


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, stored: list[dict[str, Any]]) -> Run:
    def loaded(name: str, **how: object) -> DiskSegmenter:
        return _InBfloat16(radius=_RADIUS)

    monkeypatch.setattr("mfp_model.loading.load_segmenter", loaded)
    monkeypatch.setenv("MFP_DATA_DIR", str(temporary_settings().data_dir))

    def running(
        tasks: list[dict[str, Any]], *arguments: str, kind: str = "BrushLabels"
    ) -> int | str | None:
        with serving(tasks, stored, config=_CONFIG.format(kind=kind)).serving() as site:
            monkeypatch.setenv("LABEL_STUDIO_URL", site.url)
            monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
            return main(["annotate", "--project", "3", "--json", *arguments])

    return running


def test_what_looks_like_the_region_is_stored_under_its_label(
    run: Run, stored: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(_tasks(), "--like", "4:example") == 0
    assert [entry["task"] for entry in stored] == [4, 6, 9]
    assert [_hit(entry) for entry in stored] == [{_FIRST[1]}, set(_SECOND), set()]
    rows = [row for entry in stored for row in entry["result"]]
    assert {row["value"]["brushlabels"][0] for row in rows} == {"Dog"}
    assert len({row["id"] for row in rows}) == len(rows) == 3
    assert {entry["model_version"] for entry in stored} == {"disks-1-like-4-example"}
    assert stored[1]["score"] == pytest.approx(
        np.mean([row["score"] for row in rows[1:]]), abs=1e-3
    )
    summary = json.loads(capsys.readouterr().out)
    assert (summary["images"], summary["objects"], summary["skipped"]) == (3, 3, 0)


def test_what_was_stored_before_is_not_made_again(
    run: Run, stored: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = _tasks()
    tasks[0]["predictions"] = [{"id": 1, "result": [], "model_version": "disks-1-like-4-example"}]
    assert run(tasks, "--like", "4:example") == 0
    assert [entry["task"] for entry in stored] == [6, 9]
    assert json.loads(capsys.readouterr().out)["skipped"] == 1


def test_a_polygon_control_gets_outlines(run: Run, stored: list[dict[str, Any]]) -> None:
    outline = [
        [x / _WIDTH * 100, y / _HEIGHT * 100] for x, y in ((18, 18), (42, 18), (42, 42), (18, 42))
    ]
    example = _region("example", *_FIRST[0], type="polygonlabels")
    example["value"] = {"points": outline, "closed": True, "polygonlabels": ["Cat"]}
    tasks = [_task(4, _uri(*_FIRST), example), _task(6, _uri(*_SECOND))]
    assert run(tasks, "--like", "4:example", kind="PolygonLabels") == 0
    assert [_hit(entry) for entry in stored] == [{*_FIRST[1:]}, set(_SECOND)]
    assert {row["type"] for entry in stored for row in entry["result"]} == {"polygonlabels"}


def test_only_masks_of_the_image_that_can_be_read_are_kept_clear_of(
    run: Run, stored: list[dict[str, Any]]
) -> None:
    tasks = _tasks()
    unfinished = _region("unfinished", 0, 0, type="polygonlabels")
    unfinished["value"] = {"points": [[1, 1], [9, 9]], "polygonlabels": ["Cat"]}
    beside = [
        _region("page", *_SECOND[0], item_index=1),
        _region("other image", *_SECOND[1], to_name="second"),
    ]
    tasks[1]["annotations"] = [{"id": 60, "result": [unfinished, *beside]}]
    assert run(tasks, "--like", "4:example") == 0
    assert [_hit(entry) for entry in stored] == [{_FIRST[1]}, set(_SECOND), set()]


def test_a_region_of_a_draft_or_of_a_prediction_may_be_the_example(
    run: Run, stored: list[dict[str, Any]]
) -> None:
    rows = [_region("example", *_FIRST[0])]
    for where in (
        {"drafts": [{"id": 1, "result": rows}]},
        {"predictions": [{"id": 1, "result": rows}]},
    ):
        stored.clear()
        assert (
            run([_task(4, _uri(*_FIRST), **where), _task(6, _uri(*_SECOND))], "--like", "4:example")
            == 0
        )
        assert _hit(stored[1]) == set(_SECOND)


def test_a_bad_image_costs_its_own_task_only(
    run: Run, stored: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = _tasks()
    tasks[1]["data"]["image"] = "data:image/png;base64,AAAA"
    assert run(tasks, "--like", "4:example") == 2
    assert [entry["task"] for entry in stored] == [4, 9]
    assert "task 6: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ("5:example", "project 3 has no task 5"),
        ("99:example", "project 3 has no task 99"),
        ("4:nothing", "no region 'nothing'"),
        ("4:large", "made on 999x120, the image is 200x120"),
    ],
)
def test_an_example_that_is_none_is_named_and_nothing_is_stored(
    run: Run,
    stored: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    example: str,
    words: str,
) -> None:
    tasks = _tasks()
    tasks[0]["annotations"][0]["result"].append(_region("large", 30, 30, original_width=999))
    assert run(tasks, "--like", example) == 1
    assert words in capsys.readouterr().err
    assert stored == []


def test_the_command_takes_a_task_and_a_region_only(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for text in ("example", "4:", ":example", "-4:example", "x:example"):
        assert main(["annotate", "--project", "3", f"--like={text}"]) != 0
        assert "expected TASK:REGION" in capsys.readouterr().err
    assert main(["annotate", "--folder", str(tmp_path), "--out", "x", "--like", "4:a"]) == 1
    assert "--like: is for --project" in capsys.readouterr().err
