"""Data in and out of the real Label Studio: what it has now, controls, images, absences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from numpy.typing import NDArray
from PIL import Image
from pycocotools.coco import COCO

from backend.cli import main
from backend.demo.processes import TOKEN, Server
from backend.finding.each import here
from backend.finding.project import AnnotateSummary, EveryTask, ObjectFinder, ProjectObjects
from backend.finding.storing import store_predictions
from backend.finding.task_work import outcome_of
from backend.images.sources import image_sources
from backend.label_studio.access import LabelStudioAccess
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.brush_rle import encode
from backend.label_studio.label_config import parse_label_config
from mfp_model.finding.layers import LayeredObject
from tests.e2e.label_studio_calls import add_annotation, change_annotation, delete_task, tasks_of
from tests.fakes import LoopbackSite, QuietHandler, temporary_settings

pytestmark = pytest.mark.browser

_HEIGHT, _WIDTH = 30, 40
_ONE = """<View><Image name="before" value="$before"/>
<BrushLabels name="organs" toName="before"><Label value="Liver"/></BrushLabels></View>"""
_TWO = """<View><Image name="before" value="$before"/><Image name="after" value="$after"/>
<BrushLabels name="organs" toName="before"><Label value="Liver" alias="li"/></BrushLabels>
<BrushLabels name="tumors" toName="after"><Label value="Tumor"/></BrushLabels></View>"""


@pytest.fixture
def environment(label_studio: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)


def _box(left: int, top: int = 3) -> NDArray[np.bool_]:
    mask = np.zeros((_HEIGHT, _WIDTH), dtype=np.bool_)
    mask[top : top + 12, left : left + 9] = True
    mask[top + 3 : top + 6, left + 2 : left + 4] = False
    return mask


def _row(
    name: str, mask: NDArray[np.bool_], control: str, image: str, label: str, **more: object
) -> dict[str, Any]:
    return {
        "id": name,
        "type": "brushlabels",
        "from_name": control,
        "to_name": image,
        "original_width": _WIDTH,
        "original_height": _HEIGHT,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": encode(mask), "brushlabels": [label]},
        **more,
    }


def _liver(left: int, **more: object) -> dict[str, Any]:
    return _row("r", _box(left), "organs", "before", "Liver", **more)


def _photos(folder: Path, n_photos: int) -> list[Path]:
    paths = [folder / f"{number} ä+#.png" for number in range(n_photos)]
    for number, path in enumerate(paths):
        Image.new("RGB", (_WIDTH, _HEIGHT), (number * 20, 90, 160)).save(path)
    return paths


def _tasks(api: LabelStudioApi, project: int, photos: list[Path], *names: str) -> list[int]:
    """A task for as many photos as there are names in its data."""
    addresses = iter([api.upload_file(project, photo) for photo in photos])
    groups = list(zip(*[addresses] * len(names), strict=True))
    api.import_tasks(project, [{"data": dict(zip(names, group, strict=True))} for group in groups])
    return [int(task["id"]) for task in tasks_of(api, project)]


def _masks(folder: Path) -> list[tuple[str, bool, list[list[bool]]]]:
    """Category, which image, and pixels of each mask, read by COCO's tools."""
    coco = COCO(folder / "annotations.json")
    return sorted(
        (
            coco.cats[row["category_id"]]["name"],
            row["image_id"] < 10**12,  # a task's first image
            coco.annToMask(row).astype(bool).tolist(),
        )
        for row in coco.anns.values()
    )


def test_an_export_that_goes_on_has_what_label_studio_has_now(
    api: LabelStudioApi, environment: None, tmp_path: Path
) -> None:
    project = api.create_project("an export that was cut", _ONE)
    first, second, third = _tasks(api, project, _photos(tmp_path, 3), "before")
    for task, row in (
        (first, _liver(1)),
        (second, _liver(5)),
        (third, _liver(9, type="bitmasklabels")),
    ):
        add_annotation(api, task, [row])
    out = tmp_path / "out"
    export = ["coco", "export", "--project", str(project), "--out", str(out)]
    assert main([*export, "--strict"]) == 1
    rows = {int(task["id"]): task["annotations"][0]["id"] for task in tasks_of(api, project)}
    change_annotation(api, rows[first], [_liver(13)])
    change_annotation(api, rows[third], [_liver(17)])
    delete_task(api, second)
    assert main(export) == 0
    expected = [("Liver", True, _box(left).tolist()) for left in (13, 17)]
    assert _masks(out) == sorted(expected)
    change_annotation(api, rows[first], [_liver(21)])
    assert main(export) == 0
    assert ("Liver", True, _box(21).tolist()) in _masks(out)


def test_several_controls_and_images_a_task_come_back_in_another_project_and_once(
    api: LabelStudioApi,
    environment: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = api.create_project("two images a task", _TWO)
    tasks = _tasks(api, project, _photos(tmp_path, 4), "before", "after")
    for number, task in enumerate(tasks):
        crowd = {"meta": {"text": ["crowd"]}} if number else {}
        tumor = _row("t", _box(20 + number), "tumors", "after", "Tumor", **crowd)
        add_annotation(api, task, [_row("r", _box(number), "organs", "before", "li"), tumor])
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["coco", "export", "--project", str(project), "--out", str(first)]) == 0
    other = str(api.create_project("the same again", _TWO))
    importing = ["coco", "import", "--coco", str(first), "--project", other, "--as", "annotations"]
    assert main(importing) == 0
    capsys.readouterr()
    assert main([*importing, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == 0
    made = tasks_of(api, int(other))
    assert [len(task["annotations"][0]["result"]) for task in made] == [2, 2]
    assert main(["coco", "export", "--project", other, "--out", str(second)]) == 0
    assert _masks(second) == _masks(first)
    assert len(_masks(first)) == 4


class _Passing(QuietHandler):
    """Hands requests on to Label Studio, and answers some with 502."""

    server: _Proxy

    def do_GET(self) -> None:
        self._pass()

    def do_POST(self) -> None:
        self._pass()

    def do_PATCH(self) -> None:
        self._pass()

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        stores = self.command == "POST" and self.path.endswith("/predictions/")
        self.server.n_stored += stores
        if stores and self.server.n_stored == 1:
            delete_task(self.server.api, self.server.gone)
        status, content = 502, b"Bad Gateway"
        is_away = self.server.n_asked % 4 == 1
        if not is_away or (stores and self.server.n_stored % 2):
            answer = requests.request(
                self.command,
                self.server.api.access.url + self.path,
                data=body,
                headers={
                    name: value
                    for name, value in self.headers.items()
                    if name in ("Authorization", "Content-Type")
                },
                timeout=60,
            )
            if not is_away:
                status, content = answer.status_code, answer.content
        self.server.n_asked += 1
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Proxy(LoopbackSite):
    """Is away every fourth time, sometimes after it has stored something."""

    def __init__(self, api: LabelStudioApi, gone: int) -> None:
        super().__init__(_Passing)
        self.api = api
        self.gone = gone
        self.n_asked = 0
        self.n_stored = 0


@pytest.fixture
def proxied(api: LabelStudioApi, tmp_path: Path) -> Iterator[tuple[_Proxy, int]]:
    """A project of six tasks behind a proxy; the third is deleted while its batch is computed."""
    project = api.create_project("a restless night", _ONE)
    tasks = _tasks(api, project, _photos(tmp_path, 6), "before")
    with _Proxy(api, tasks[2]).serving() as proxy:
        yield proxy, project


def test_a_night_of_502_and_a_deleted_task_cost_that_tasks_prediction_only(
    api: LabelStudioApi, proxied: tuple[_Proxy, int]
) -> None:
    proxy, project = proxied
    access = LabelStudioAccess(url=proxy.url, api_key=TOKEN)
    settings = temporary_settings(label_studio_url=api.access.url, label_studio_api_key=TOKEN)

    def nothing(image: NDArray[np.uint8]) -> list[LayeredObject]:
        return []

    config = parse_label_config(_ONE)
    finder = ObjectFinder(find=nothing, version="v-1", max_megapixels=1)
    objects = ProjectObjects(finder, config, polygon_error_px=1)

    def annotated() -> AnnotateSummary:
        return store_predictions(
            EveryTask(version="v-1"),
            here(partial(outcome_of, objects, AnnotateSummary)),
            replace(LabelStudioApi(access), waits_s=(0.05,) * 3),
            project,
            config,
            image_sources(settings),
            batch=4,
            report=lambda: None,
        )

    summary = annotated()
    assert [problem.split(":")[0] for problem in summary.problems] == [f"task {proxy.gone}"]
    made = tasks_of(api, project)
    assert [len(task["predictions"]) for task in made] == [1] * 5
    again = annotated()
    assert (again.images, again.skipped, again.problems) == (0, 5, [])
