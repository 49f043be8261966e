import json
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from backend.exchange import importing
from backend.exchange.image_addresses import original, prefixed
from backend.exchange.importing import CocoImport
from backend.exchange.task_making import FILE_KEY
from backend.label_studio.access import LabelStudioError, LabelStudioRefusedError
from backend.label_studio.label_config import TaskConfigs
from mfp_model.data.coco import read_coco
from mfp_model.errors import ConfigError, DataError
from mfp_model.masks.rle import encode_mask
from tests.unit.backend.exchange.labeled import CONFIG, Files, export, png, row, task
from tests.unit.mfp_model.coco_folder import make_coco_folder

_SQUARES = TaskConfigs(
    """<View><Image name="i" value="$photo"/><BrushLabels name="b" toName="i">
    <Label value="square"/></BrushLabels></View>"""
)
_MASKS = np.random.default_rng(3).random((3, 30, 40)) < 0.4


def _exported(folder: Path) -> Path:
    tasks = [task(n, [row(_MASKS[n], "Dog"), row(~_MASKS[n], id="r2")]) for n in range(3)]
    export(folder, tasks)
    return folder / "coco"


def test_from_label_studio_to_coco_and_back_no_bit_changes(tmp_path: Path) -> None:
    folder = read_coco(_exported(tmp_path))
    imported = tmp_path / "tasks.json"
    summary = CocoImport(folder, CONFIG, form="predictions").into_file(imported, original)
    assert (summary.tasks, summary.masks, summary.problems) == (3, 6, [])
    again: list[dict[str, Any]] = json.loads(imported.read_text())
    for number, entry in enumerate(again):
        assert entry["data"]["image"] == f"/data/upload/1/{number}.png"
        entry.update(id=number, annotations=entry.pop("predictions"), drafts=[], predictions=[])
    (tmp_path / "second").mkdir()
    content, _ = export(tmp_path / "second", again)
    for number, entry in enumerate(content["annotations"]):
        mask = _MASKS[number // 2]
        expected = ~mask if number % 2 else mask
        assert (coco_mask.decode(entry["segmentation"]) == expected).all()
        assert entry["category_id"] == (1 if number % 2 else 2)


class _LabelStudio:
    """Takes uploads and tasks as the API does: all tasks of a call or none."""

    def __init__(self, is_away_after: int = 99, refuses: str = "") -> None:
        self.tasks: list[dict[str, Any]] = []
        self.uploaded: list[Path] = []
        self.calls: list[int] = []
        self.is_away_after = is_away_after
        self._refuses = refuses

    def data_values(self, project: int, key: str) -> set[str]:
        return {task["data"][key] for task in self.tasks}

    def upload_file(self, project: int, path: Path) -> str:
        self.uploaded.append(path)
        return f"/data/upload/{project}/{path.name}"

    def import_tasks(self, project: int, tasks: list[dict[str, Any]]) -> None:
        if len(self.calls) == self.is_away_after:
            raise LabelStudioError("cut")
        if self._refuses in [task["data"][FILE_KEY] for task in tasks]:
            raise LabelStudioRefusedError("odd")
        self.calls.append(len(tasks))
        self.tasks += tasks


def test_an_import_waits_for_another_one_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, api, waits = read_coco(_exported(tmp_path)), _LabelStudio(), Event()
    importers = [CocoImport(folder, CONFIG, form="predictions") for _ in range(2)]
    monkeypatch.setattr(importing, "_log", SimpleNamespace(warning=lambda *_: waits.set()))
    second = Thread(target=importers[1].into_project, args=(api, 7))
    asked = api.data_values

    def asked_by_the_first(project: int, key: str) -> set[str]:
        api.data_values = asked  # type: ignore[method-assign]
        values = asked(project, key)
        second.start()
        assert waits.wait(10)
        return values

    api.data_values = asked_by_the_first  # type: ignore[method-assign]
    summary = importers[0].into_project(api, 7)  # type: ignore[arg-type]
    second.join()
    assert (summary.tasks, len(api.tasks)) == (3, 3)


def test_an_import_that_was_cut_goes_on_without_making_a_task_twice(tmp_path: Path) -> None:
    folder = read_coco(make_coco_folder(tmp_path, n_images=12))
    importer = CocoImport(folder, _SQUARES, form="annotations", strict=True)
    api = _LabelStudio(is_away_after=1)
    with pytest.raises(LabelStudioError, match="cut"):
        importer.into_project(api, 7)  # type: ignore[arg-type]
    api.is_away_after = 99
    summary = importer.into_project(api, 7)  # type: ignore[arg-type]
    assert (summary.tasks, summary.known) == (2, 10)
    assert [entry["data"][FILE_KEY] for entry in api.tasks] == [f"{n}.png" for n in range(12)]
    assert all(len(entry["annotations"][0]["result"]) == 3 for entry in api.tasks)
    assert api.calls == [10, 2]


def test_a_task_that_is_refused_takes_no_others_of_its_call_with_it(tmp_path: Path) -> None:
    folder = read_coco(make_coco_folder(tmp_path))
    importer, api = CocoImport(folder, _SQUARES, form="predictions"), _LabelStudio(refuses="1.png")
    summary = importer.into_project(api, 7)  # type: ignore[arg-type]
    assert (summary.tasks, summary.problems) == (2, ["1.png: odd"])
    assert [entry["data"][FILE_KEY] for entry in api.tasks] == ["0.png", "2.png"]


def test_a_call_holds_fewer_tasks_where_their_masks_are_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_MOST_NUMBERS", 1000)
    importer = CocoImport(read_coco(_exported(tmp_path)), CONFIG, form="predictions")
    api = _LabelStudio()
    importer.into_project(api, 7)  # type: ignore[arg-type]
    assert api.calls == [1, 1, 1]


def test_what_cannot_be_imported_is_named(tmp_path: Path) -> None:
    root = _exported(tmp_path)
    content = json.loads((root / "annotations.json").read_text())
    content["annotations"][0]["category_id"] = 9
    content["annotations"][1]["segmentation"] = {"size": [3, 3], "counts": "9"}
    content["annotations"][2]["segmentation"] = encode_mask(np.zeros((30, 40), dtype=np.bool_))
    (root / "annotations.json").write_text(json.dumps(content))
    (root / "images" / "2-2.png").unlink()
    api = _LabelStudio()
    problems: list[str] = []
    data = read_coco(root, on_problem=problems.append)
    importer = CocoImport(data, CONFIG, form="predictions")
    summary = importer.into_project(api, 7)  # type: ignore[arg-type]
    assert (summary.tasks, summary.masks) == (2, 1)
    messages = "\n".join([*problems, *summary.problems])
    for part in (
        "0-0.png: annotation 1: category_id=9: unknown",
        "image 0: annotation 2: segmentation of [3, 3]: expected [30, 40]",
        "1-1.png: annotation 3: a mask without a pixel",
        "2-2.png: no such file in images/",
    ):
        assert part in messages
    with pytest.raises(ConfigError, match="unknown"):
        CocoImport(data, CONFIG, form="predictions", strict=True).into_file(
            tmp_path / "out.json", prefixed("x/")
        )
    assert not (tmp_path / "out.json").exists()


def test_any_coco_folder_can_be_imported_polygons_too(tmp_path: Path) -> None:
    folder = read_coco(make_coco_folder(tmp_path / "squares"))
    config = TaskConfigs(
        """<View><Image name="i" value="$photo"/><Labels name="l" toName="i">
        <Label value="square"/></Labels><Brush name="b" toName="i"/></View>"""
    )
    importer = CocoImport(folder, config, form="predictions")
    importer.into_file(tmp_path / "t.json", prefixed("s3://bucket/"))
    first = json.loads((tmp_path / "t.json").read_text())[0]
    assert first["data"]["photo"] == "s3://bucket/0.png"
    odd = replace(folder.images[0], file_name="a?b.png")
    assert prefixed("https://bucket/")(odd) == "https://bucket/a%3Fb.png"
    with pytest.raises(DataError, match="has no address in s3://bucket/"):
        prefixed("s3://bucket/")(odd)
    shape, label = first["predictions"][0]["result"][:2]
    assert (shape["type"], label["type"], shape["id"]) == ("brush", "labels", label["id"])
    content, _ = export(
        tmp_path,
        [{"id": 1, "data": first["data"], "annotations": first["predictions"]}],
        files=Files({"s3://bucket/0.png": png(80, 60)}),
        config=config,
    )
    assert {annotation["area"] for annotation in content["annotations"]} == {900}


def test_a_configuration_without_a_brush_has_no_place_for_masks(tmp_path: Path) -> None:
    config = TaskConfigs('<View><Image name="image" value="$image"/></View>')
    with pytest.raises(DataError, match="no <BrushLabels>"):
        CocoImport(read_coco(_exported(tmp_path)), config, form="predictions")


@pytest.mark.parametrize("score", [float("nan"), 10**400])
def test_crowds_are_noted_and_a_score_that_is_no_number_is_named(
    tmp_path: Path, score: float
) -> None:
    root = make_coco_folder(tmp_path / "squares", n_images=1)
    content = json.loads((root / "annotations.json").read_text())
    content["annotations"][0]["score"] = score
    (root / "annotations.json").write_text(json.dumps(content))
    importer = CocoImport(read_coco(root), _SQUARES, form="predictions")
    summary = importer.into_file(tmp_path / "t.json", prefixed("x/"))
    assert (summary.masks, summary.crowds) == (2, 1)
    (made,) = json.loads((tmp_path / "t.json").read_text())
    rows = made["predictions"][0]["result"]
    assert [row.get("meta") for row in rows] == [None, {"text": ["crowd"]}]
    assert summary.problems == [
        f"0.png: annotation 0: score={score!r:.40}, expected a finite number"
    ]
