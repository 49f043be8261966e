"""The loop in the real Label Studio: label, correct, train, get better answers, export."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests
from pycocotools.coco import COCO

from backend.cli import main
from backend.demo.processes import TOKEN, Server, free_port, start_backend
from backend.label_studio import brush_rle
from backend.label_studio.api import LabelStudioApi
from mfp_model.weights import DEFAULT_WEIGHTS
from tests.benchmarks.cells import HEIGHT, WIDTH, make_cells
from tests.e2e.conftest import ROOT
from tests.e2e.label_studio_calls import tasks_of
from tests.e2e.labeling_page import LabelingPage
from tests.e2e.versions import served_version
from tests.fakes import path_without_nice

pytestmark = pytest.mark.browser

_CONFIG = (ROOT / "label_config" / "one_class.xml").read_text()
_N_WORKERS = 2
_N_IMAGES = 9  # the last two are not labelled beforehand
_RADII = (45.0, 62.0)  # of cells that the shipped weights often take for their nucleus
_KNOWN = 5  # a cell of the last but one that they know
_SCREENSHOTS = os.environ.get("MFP_SCREENSHOTS")


@pytest.fixture
def backend(label_studio: Server, tmp_path: Path) -> Iterator[Server]:
    """A backend that learns from few samples, so that the test is quick."""
    server = start_backend(
        tmp_path / "backend.log",
        port=free_port(),
        label_studio_url=label_studio.url,
        n_workers=_N_WORKERS,
        settings={"MFP_TRAIN_SAMPLES": "240", "PATH": path_without_nice(tmp_path / "bin")},
    )
    with server.running(limit_s=60):
        yield server


@pytest.fixture
def environment(label_studio: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)


def _shot(page: LabelingPage, name: str) -> None:
    if _SCREENSHOTS:
        page.screenshot(Path(_SCREENSHOTS) / f"loop-{name}.png")


def _wait_for_job(page: LabelingPage, server: Server, *, limit_s: float) -> str:
    """The newest job's state on the status page once it has ended."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        page.page.goto(server.url)
        state = page.page.locator(".job-state").first
        status = state.get_attribute("data-state") if state.count() else None
        if status not in (None, "queued", "running"):
            return str(status)
        page.page.wait_for_timeout(1000)
    log = requests.get(f"{server.url}/jobs/1/log", timeout=10).text
    raise TimeoutError(f"the job is not done after {limit_s} s:\n{log[-3000:]}")


def _wait_for_version(server: Server, version: str, *, limit_s: float) -> None:
    """Until all workers serve a version, which they load beside the one before it."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        lines = [line for line in server.log.read_text().splitlines() if "that serve" in line]
        if sum(version in line for line in lines) >= _N_WORKERS:
            return
        time.sleep(0.5)
    raise TimeoutError(f"{version} does not serve after {limit_s} s:\n{server.log.read_text()}")


def _middle(truth: COCO, image: int, number: int) -> tuple[float, float]:
    """Where a cell of an image is clicked, in percent: its deepest point."""
    mask = truth.annToMask(truth.imgToAnns[image][number])
    row, column = np.unravel_index(cv2.distanceTransform(mask, cv2.DIST_L2, 5).argmax(), mask.shape)
    return (column + 0.5) / WIDTH * 100, (row + 0.5) / HEIGHT * 100


def _saved_masks(api: LabelStudioApi, project: int, task: int) -> list[np.ndarray]:
    (entry,) = [row for row in tasks_of(api, project) if row["id"] == task]
    rows = entry["annotations"][0]["result"]
    return [
        brush_rle.decode(
            row["value"]["rle"], height=row["original_height"], width=row["original_width"]
        )
        for row in rows
        if row["type"] == "brushlabels"
    ]


def test_corrections_lead_to_weights_that_need_fewer_clicks_and_to_exact_coco(
    page: LabelingPage,
    backend: Server,
    api: LabelStudioApi,
    environment: None,
    tmp_path: Path,
) -> None:
    folder = make_cells(tmp_path / "cells", n_images=_N_IMAGES, seed=1, radii=_RADII)
    content = json.loads((folder / "annotations.json").read_text())
    labelled = [row["id"] for row in content["images"][:-2]]
    content["images"] = content["images"][:-2]
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] in labelled]
    (folder / "labelled.json").write_text(json.dumps(content))
    project = api.create_project("The loop", _CONFIG)
    api.connect_backend(project, backend.url)
    importing = ["coco", "import", "--coco", str(folder / "labelled.json"), "--as", "annotations"]
    assert main([*importing, "--project", str(project)]) == 0
    api.upload(project, sorted((folder / "images").iterdir())[-2:])
    task, other = (row["id"] for row in tasks_of(api, project)[-2:])

    # Click, accept, correct with the eraser, submit.
    cells = COCO(folder / "annotations.json")
    x, y = _middle(cells, _N_IMAGES - 1, _KNOWN)
    page.open_task(project, task)
    page.switch_on_clicking()
    before = page.click(x, y)
    assert before["data"]["model_version"] == served_version(DEFAULT_WEIGHTS)
    page.accept()
    page.select_first_region()
    page.erase(x, y - 4, x, y + 4)
    _shot(page, "erased")
    page.submit()
    (erased,) = _saved_masks(api, project, task)
    assert 0 < (erased < 128).sum() < erased.size
    (row,) = [
        row
        for row in tasks_of(api, project)[-2]["annotations"][0]["result"]
        if row["type"] == "brushlabels"
    ]
    assert row["origin"] == "prediction-changed"

    # Start Training in the page; a task begun now is finished on the old weights.
    page.start_training(project)
    page.page.goto(backend.url)
    page.page.wait_for_selector(".job-state")
    _shot(page, "running")
    assert _wait_for_job(page, backend, limit_s=900) == "promoted"
    _shot(page, "promoted")
    page.page.get_by_text("report", exact=True).first.click()
    page.page.wait_for_selector(".verdict")
    _shot(page, "report")

    # The next click is answered by the new version.
    version = f"lite2-3-p{project}-1"
    _wait_for_version(backend, version, limit_s=60)
    page.open_task(project, other)
    page.switch_on_clicking()
    after = page.click(*_middle(cells, _N_IMAGES, 0))
    assert after["data"]["model_version"].startswith(f"{version}-")
    _shot(page, "after")

    # Export, and compare bit by bit.
    out = tmp_path / "coco"
    assert main(["coco", "export", "--project", str(project), "--out", str(out)]) == 0
    coco = COCO(out / "annotations.json")
    (annotation,) = coco.imgToAnns[task]
    assert (coco.annToMask(annotation).astype(bool) == (erased >= 128)).all()
    assert annotation["label_studio"]["origin"] == "prediction-changed"
    truth = COCO(folder / "labelled.json")
    exported = sorted(image for image in coco.imgs if image != task)
    for image, number in zip(exported, labelled, strict=True):
        masks, expected = (
            [dataset.annToMask(a) for a in dataset.imgToAnns[key]]
            for dataset, key in ((coco, image), (truth, number))
        )
        assert all(np.array_equal(*pair) for pair in zip(masks, expected, strict=True))
