"""What cannot be exported is named, and the rest is exported."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.exchange.annotation_choice import ChoiceRules
from backend.exchange.entries import ExportOptions
from backend.exchange.export import export_coco
from backend.exchange.spool import Spool, TaskEntries
from backend.exchange.tasks import LabeledTask, file_tasks
from backend.label_studio.regions import finite_score
from mfp_model.errors import DataError
from tests.unit.backend.exchange.labeled import (
    RING,
    Files,
    export,
    png,
    row,
    shape_row,
    task,
    write_tasks,
)


def test_damaged_items_are_named_and_the_rest_is_exported(tmp_path: Path) -> None:
    cut, small = row(RING, id="cut"), row(np.ones((20, 40), bool), id="small")
    cut["value"]["rle"] = cut["value"]["rle"][:40]
    bad = [
        cut,
        small,
        row(RING, "Unicorn", id="unknown"),
        row(RING & False, id="empty"),
        shape_row("polygon", "Dog", (40, 30), points=[[0, "x"], [1, 1], [5, 5]]),
        "no row",
        {**row(RING, id="bits"), "type": "bitmasklabels"},
        row(RING, id="good"),
    ]
    of_no_file = task(200, [row(RING), row(~RING, id="r2")])
    tasks = [task(1, bad), of_no_file, task(3, "no list"), task(4, [row(RING)])]  # type: ignore[arg-type]
    content, summary = export(tmp_path, [*tasks, "no task", tasks[-1]])
    assert [entry["label_studio"]["region"] for entry in content["annotations"]] == ["good", "r1"]
    messages = "\n".join(summary.messages)
    for part in (
        "task 1: annotation 10: row 5",
        "region cut: brush RLE is truncated",
        "region small: made on 40x20, the image is 40x30",
        "region unknown: label 'Unicorn': expected one of Cat, Dog, Tree",
        "region bits: bitmask regions are not read",
        "region empty: brush without a pixel",
        "region polygon-1: polygon: expected finite percentages",
        "task 200: image '/data/upload/1/200.png': no such file; its masks are left out: 2",
        "task 3: annotation 30: result: expected a list",
        "expected a task with an id, got 'no task'",
        "task 4: stands there twice",
    ):
        assert part in messages, part
    assert summary.problems == len(summary.messages) == 11
    with pytest.raises(DataError, match="row 5"):
        export(tmp_path, tasks, options=ExportOptions(strict=True))


def test_a_task_that_stands_there_twice_or_has_no_content_is_named(tmp_path: Path) -> None:
    once, again = task(1, [row(RING)]), task(1, [row(~RING)])
    tasks = [
        once,
        again,
        {**task(2), "annotations": [17]},
        {**task(3, [row(RING)]), "data": None},
        {**task(4, [row(RING)]), "annotations": {"id": 5}},
    ]
    content, summary = export(tmp_path, tasks)
    assert [image["id"] for image in content["images"]] == [1]
    expected = "expected objects in data and annotations"
    assert summary.messages == [
        "task 1: stands there twice",
        *(f"task {number}: {expected}" for number in (2, 3, 4)),
    ]


def test_a_task_whose_images_no_number_is_left_for_is_named(tmp_path: Path) -> None:
    def paged(number: int, address: object) -> dict[str, Any]:
        return {**task(number, [{**row(RING), "item_index": 0}]), "data": {"image": address}}

    page, pages = "/data/upload/1/1.png", ["/data/upload/1/2.png", "/data/upload/1/3.png"]
    far, largest = 10**12 + 5, 2**63 - 1
    tasks = [
        paged(-1, page),
        paged(5, pages),
        paged(far, page),
        paged(largest, pages),
        paged(largest + 1, page),
        paged(6, page),
    ]
    content, summary = export(tmp_path, tasks)
    assert [image["id"] for image in content["images"]] == [5, far, 6]
    assert [annotation["image_id"] for annotation in content["annotations"]] == [5, 6]
    taken = "the number of one of its images is too large, or another task's image has it"
    none = "expected a task with an id, got {'id': "
    assert [message.split(", 'data'")[0] for message in summary.messages] == [
        f"element 1: {none}-1",
        f"task {far}: {taken}",
        f"task {largest}: {taken}",
        f"element 5: {none}'{largest + 1}'",
    ]
    with pytest.raises(DataError, match=f"task {far}: {taken}"):
        export(tmp_path, tasks[1:], options=ExportOptions(strict=True))


def test_a_mask_of_a_kind_that_is_not_read_is_named(tmp_path: Path) -> None:
    wand = {**row(RING), "type": "magicwand"}
    _, summary = export(tmp_path, [task(1, [wand])])
    assert summary.messages == ["task 1: annotation 10: region r1: 'magicwand' masks are not read"]


def test_a_file_as_windows_writes_it_is_read(tmp_path: Path) -> None:
    path = write_tasks(tmp_path / "tasks.json", [task(1, [row(RING)])])
    text = path.read_text().replace("}, ", "},\r\n")
    path.write_text(text, encoding="utf-8-sig", newline="")
    (read,) = file_tasks(path).read(lambda n: None)
    assert isinstance(read, LabeledTask)


def test_broken_json_keeps_what_stands_before_the_break(tmp_path: Path) -> None:
    path = write_tasks(tmp_path / "tasks.json", [task(1, [row(RING)]), task(2, [row(RING)])])
    text = path.read_text()
    path.write_text(text[: len(text) // 2 + 100])
    files = Files({"/data/upload/1/1.png": png(40, 30)})
    summary = export_coco(file_tasks(path), tmp_path / "c", config=None, sources=files)  # type: ignore[arg-type]
    assert (summary.annotations, summary.problems) == (1, 1)
    assert "tasks.json is broken after element 1" in summary.messages[0]


@pytest.mark.parametrize("content", ["[]", "{}", "", "[{", "[3]", "no JSON"])
def test_a_file_without_a_task_that_can_be_read_replaces_no_earlier_export(
    content: str, tmp_path: Path
) -> None:
    path = write_tasks(tmp_path / "tasks.json", [task(1, [row(RING)])])
    files = Files({"/data/upload/1/1.png": png(40, 30)})
    export_coco(file_tasks(path), tmp_path / "c", config=None, sources=files)  # type: ignore[arg-type]
    before = (tmp_path / "c" / "annotations.json").read_bytes()
    path.write_text(content)
    with pytest.raises(DataError, match="no task can be read, so nothing is written") as refused:
        export_coco(file_tasks(path), tmp_path / "c", config=None, sources=files)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    assert (tmp_path / "c" / "annotations.json").read_bytes() == before


def test_a_score_that_is_no_number_costs_neither_its_mask_nor_the_tasks_behind_it(
    tmp_path: Path,
) -> None:
    scores = [float("nan"), float("-inf"), "high", 0.5, None]
    tasks: list[Any] = [
        task(number, predictions=[{"id": number, "result": [row(RING)], "score": score}])
        for number, score in enumerate(scores, start=1)
    ]
    tasks.append(task(9, [row(RING, score=float("nan"))]))
    options = ExportOptions(rules=ChoiceRules(with_predictions=True))
    content, summary = export(tmp_path, tasks, options=options)
    assert [entry.get("score") for entry in content["annotations"]] == [
        *[None] * 3,
        0.5,
        None,
        None,
    ]
    assert summary.messages == []
    assert summary.left_out["scores that are no finite numbers"] == 4
    assert finite_score({"score": 10**400}, Counter()) is None


@pytest.mark.parametrize("images", ["copy", "none"])
def test_an_address_that_is_none_costs_its_task_only_and_tells_no_secret(
    tmp_path: Path, images: str
) -> None:
    broken = task(1, [row(RING)], data={"image": "http://me:word@[/1.png?signature=x"})
    files = None if images == "none" else Files({"/data/upload/1/2.png": png(40, 30)})
    content, summary = export(
        tmp_path, [broken, task(2, [row(RING)])], files=files, options=ExportOptions(images=images)
    )
    assert len(content["annotations"]) == 1
    messages = " ".join(summary.messages)
    assert "task 1: image 'http://[/1.png'" in messages
    assert not any(secret in messages for secret in ("word", "signature"))


def test_rows_of_a_type_with_half_of_a_letter_are_counted_as_other_rows_are(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", key="")
    spool.add(1, TaskEntries(left_out=Counter({"\ud83d rows": 2})))
    assert spool.left_out() == {"\\ud83d rows": 2}
    spool.remove()
