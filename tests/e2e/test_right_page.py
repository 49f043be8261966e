"""Right label, right page: what the real Label Studio's page shows decides, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from backend.demo.processes import Server
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.brush_rle import encode
from tests.browser import new_person
from tests.e2e.conftest import PHOTOS
from tests.e2e.label_studio_calls import (
    add_annotation,
    add_prediction,
    change_project,
    invitation,
    tasks_of,
)
from tests.e2e.labeling_page import LabelingPage

pytestmark = pytest.mark.browser

_PLACE = (50.0, 60.0)
_VALUE = 'value="$image"'
_LABELS = '<Label value="Cat"{0}/><Label value="Dog"{1}/>'
_KEYS = (' hotkey="q"', ' hotkey="w"')
_CONFIG = """<View><Image name="image" {value}/>
<BrushLabels name="brush" toName="image" smart="false" {more}>{labels}</BrushLabels>
<KeyPointLabels name="kp" toName="image" smartOnly="true" {more}>{points}</KeyPointLabels></View>"""


def _config(labels: str = _LABELS, value: str = _VALUE, more: str = "") -> str:
    plain, keys = labels.format("", ""), labels.format(*_KEYS)
    return _CONFIG.format(labels=plain, points=keys, value=value, more=more)


def _project(api: LabelStudioApi, backend: Server, config: str, **settings: object) -> int:
    project = api.create_project("right page", config)
    change_project(api, project, **settings)
    api.connect_backend(project, backend.url)
    return project


def _task(api: LabelStudioApi, project: int, **data: object) -> int:
    address = api.upload_file(project, PHOTOS / "bowl.jpg")
    api.import_tasks(project, [{"data": {"image": address, **data}}])
    return int(tasks_of(api, project)[0]["id"])


def _earlier(label: str = "Cat") -> dict[str, Any]:
    """A mask around the place that is clicked on."""
    with Image.open(PHOTOS / "bowl.jpg") as photo:
        width, height = photo.size
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[int(0.4 * height) : int(0.7 * height), int(0.35 * width) : int(0.65 * width)] = True
    return {
        "id": "earlier",
        "type": "brushlabels",
        "from_name": "brush",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": encode(mask), "brushlabels": [label]},
    }


def _click(page: LabelingPage, key: str = "q", **how: bool) -> dict[str, Any]:
    """Choose a label and click on the place."""
    page.switch_on_clicking()
    page.press_label(key)
    answer = page.click(*_PLACE, **how)
    assert "overlap" not in page.asked[-1]
    (row,) = answer["data"]["result"]
    return dict(row)


def _is_new(row: dict[str, Any]) -> bool:
    return bool(row["id"] != "earlier" and row["value"]["rle"] != _earlier()["value"]["rle"])


@pytest.fixture
def second_page(
    browser: Browser, label_studio: Server, api: LabelStudioApi
) -> Iterator[LabelingPage]:
    """The page of another annotator."""
    person = new_person(browser)
    tab = LabelingPage(person, label_studio.url)
    tab.page.goto(label_studio.url + invitation(api), wait_until="domcontentloaded")
    tab.page.fill("input[name=email]", "second@example.com")
    tab.page.fill("input[name=password]", "a-long-password")
    tab.page.click("button[type=submit]")
    tab.page.wait_for_url(lambda url: "signup" not in url, wait_until="commit")
    yield tab
    person.close()


def test_a_second_annotator_gets_nothing_of_the_first_ones(
    second_page: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    project = _project(api, backend, _config(), maximum_annotations=2)
    task = _task(api, project)
    add_annotation(api, task, [_earlier()])
    second_page.start_labeling(project)
    assert second_page.masks() == []
    assert _is_new(_click(second_page))


def test_a_new_annotation_beside_a_submitted_one_gets_nothing_of_it(
    page: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    project = _project(api, backend, _config())
    task = _task(api, project)
    add_annotation(api, task, [_earlier()])
    page.open_task(project, task)
    page.wait_for_masks(1)
    page.add_new_annotation()
    assert page.masks() == []
    assert _is_new(_click(page))


def test_further_clicks_in_a_new_annotation_do_not_take_up_an_unseen_mask(
    page: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    project = _project(api, backend, _config())
    task = _task(api, project)
    add_annotation(api, task, [_earlier()])
    page.open_task(project, task)
    page.wait_for_masks(1)
    page.add_new_annotation()
    assert _is_new(_click(page))
    page.press_label("q")
    answer = page.click(70, 55)  # beside the submitted mask, and within five seconds
    (row,) = answer["data"]["result"]
    assert _is_new(row)
    assert len(page.asked[-1]["context"]["result"]) == 2
    page.accept()
    assert len(page.masks()) == 1


def test_the_first_click_in_a_submitted_annotation_edits_its_mask(
    page: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    project = _project(api, backend, _config())
    task = _task(api, project)
    add_annotation(api, task, [_earlier()])
    page.open_task(project, task)
    page.wait_for_masks(1)
    assert _click(page, on_mask=True)["id"] == "earlier"
    page.accept()
    assert [mask["id"] for mask in page.masks()] == ["earlier"]


def test_a_skipped_annotation_is_not_taken_up(
    page: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    project = _project(api, backend, _config())
    task = _task(api, project)
    add_annotation(api, task, [_earlier()], was_cancelled=True)
    page.open_task(project, task)
    page.add_new_annotation()
    assert page.masks() == []
    assert _is_new(_click(page))


def test_a_prediction_that_the_project_does_not_show_is_not_taken_up(
    page: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    project = _project(api, backend, _config(), show_collab_predictions=False)
    task = _task(api, project)
    add_prediction(api, task, {"result": [_earlier()], "score": 0.5, "model_version": "other"})
    page.start_labeling(project)
    assert page.masks() == []
    assert _is_new(_click(page))


def test_an_alias_is_answered_and_another_one_is_another_object(
    page: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    labels = _LABELS.replace('Cat"', 'Cat" alias="c1"').replace('Dog"', 'Dog" alias="d1"')
    project = _project(api, backend, _config(labels))
    task = _task(api, project)
    add_annotation(api, task, [_earlier("c1")])
    page.open_task(project, task)
    page.wait_for_masks(1)
    row = _click(page, "w", on_mask=True)
    assert row["id"] != "earlier"
    assert row["value"]["brushlabels"] == ["d1"]
    page.accept()
    assert [mask["label"] for mask in page.masks()] == ["c1", "d1"]


def test_labels_of_the_task_and_several_pages_are_answered(
    page: LabelingPage, api: LabelStudioApi, backend: Server
) -> None:
    config = _config("", 'valueList="$pages"', 'value="$labels"')
    config = config.replace('smartOnly="true" value="$labels"', 'smartOnly="true" value="$points"')
    project = _project(api, backend, config)
    photos = api.create_project("photos", _config())  # a file needs a project with one key
    pages = [api.upload_file(photos, PHOTOS / name) for name in ("coffee.jpg", "bowl.jpg")]
    labels = [{"value": "Cat"}, {"value": "Dog"}]
    points = [{"value": "Cat", "hotkey": "q"}, {"value": "Dog", "hotkey": "w"}]
    api.import_tasks(project, [{"data": {"pages": pages, "labels": labels, "points": points}}])
    task = int(tasks_of(api, project)[0]["id"])
    page.open_task(project, task)
    first = _click(page, "w")
    assert (first["item_index"], first["value"]["brushlabels"]) == (0, ["Dog"])
    page.accept()
    page.turn_to_page(1)
    second = _click(page, "w")
    assert second["item_index"] == 1
    assert second["original_width"] == _earlier()["original_width"]
    page.accept()
    assert len(page.masks()) == 2


def test_a_repeater_is_answered(page: LabelingPage, api: LabelStudioApi, backend: Server) -> None:
    config = """<View><Repeater on="$images" indexFlag="{{idx}}">
    <Image name="image_{{idx}}" value="$images[{{idx}}].url"/>
    <BrushLabels name="brush_{{idx}}" toName="image_{{idx}}" smart="false">
    <Label value="Cat"/></BrushLabels>
    <KeyPointLabels name="kp_{{idx}}" toName="image_{{idx}}" smartOnly="true">
    <Label value="Cat" hotkey="w"/></KeyPointLabels></Repeater></View>"""
    project = _project(api, backend, config)
    url = api.upload_file(project, PHOTOS / "bowl.jpg")
    task = _task(api, project, images=[{"url": url}])
    page.image = "image_0"
    page.open_task(project, task)
    row = _click(page, "w")
    assert (row["from_name"], row["to_name"]) == ("brush_0", "image_0")
