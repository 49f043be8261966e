import copy
from collections.abc import Callable
from typing import Any

import pytest

from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.points import RequestError
from backend.label_studio.request import parse_predict
from mfp_model.prompts import Click

Capture = Callable[[str], Any]


def test_percent_becomes_pixels_of_the_original_image(capture: Capture) -> None:
    (task,) = parse_predict(capture("predict_first_click"))
    assert task.task_id == "2"
    assert task.project == "1"
    assert task.image == "/data/local-files/?d=set1/img0_1024x768.jpg"
    assert task.region is not None
    assert (task.region.width, task.region.height) == (1024, 768)
    assert task.region.clicks == (
        Click(x=44.99424626006904 / 100 * 1024, y=25.009589566551593 / 100 * 768),
    )
    assert (task.region.control.name, task.region.control.to_name) == ("brush", "image")
    assert task.region.labels == ("Object",)


def test_clicks_keep_their_order_and_sign(capture: Capture) -> None:
    (task,) = parse_predict(capture("predict_third_click_negative_alt"))
    assert task.region is not None
    assert [click.is_positive for click in task.region.clicks] == [True, True, False]


def test_opening_a_task_asks_for_nothing(capture: Capture) -> None:
    (task,) = parse_predict(capture("predict_open_task_context_null"))
    assert task.is_opening
    assert task.region is None


def test_a_point_that_comes_twice_counts_once(capture: Capture) -> None:
    (task,) = parse_predict(capture("predict_generic_labels_point_twice"))
    assert task.region is not None
    assert len(task.region.clicks) == 1
    assert task.region.labels == ("Dog",)
    assert task.region.control.labels_name == "labels"


def test_points_that_survived_a_reload_are_not_ours(capture: Capture) -> None:
    (task,) = parse_predict(capture("predict_after_reload_stale_point_without_is_positive"))
    assert task.region is not None
    assert len(task.region.clicks) == 1


def test_points_without_labels_take_the_first_label(capture: Capture) -> None:
    (task,) = parse_predict(capture("predict_keypoint_without_labels"))
    assert task.region is not None
    assert task.region.labels == ("Cat",)


@pytest.mark.parametrize("name", ["predict_rectangle", "predict_after_submit_empty_result"])
def test_rectangles_and_empty_lists_are_no_clicks(capture: Capture, name: str) -> None:
    (task,) = parse_predict(capture(name))
    assert not task.is_opening
    assert task.region is None or not task.region.clicks


def test_only_negative_clicks_ask_for_no_new_object(capture: Capture) -> None:
    body = capture("predict_first_click")
    body["params"]["context"]["result"][0]["is_positive"] = False
    (task,) = parse_predict(body)
    assert task.region is not None
    assert not task.region.is_positive


def test_every_task_of_a_list_is_returned(capture: Capture) -> None:
    body = capture("predict_open_task_context_null")
    body["tasks"] *= 3
    assert len(parse_predict(body)) == 3


def _changed(body: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    *parents, last = path.split(".")
    target: Any = changed
    for name in parents:
        target = target[int(name)] if name.isdigit() else target[name]
    target[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("tasks", None, "tasks: expected list, got NoneType"),
        ("tasks", [3], "task: expected an object, got int"),
        ("tasks.0.data", {}, "image: expected str"),
        ("params.context", [], "context: expected an object"),
        ("params.context.result", [1], "expected objects"),
        ("params.context.result.0.original_width", 0, "original_width=0"),
        ("params.context.result.0.original_height", "9", "original_height='9'"),
        ("params.context.result.0.value.x", None, "x=None"),
        ("params.context.result.0.value.x", float("nan"), "x=nan"),
        ("params.context.result.0.value.y", 180.5, r"y=180.5: expected 0..100"),
        ("params.context.result.0.to_name", "other", "no <Image name='other'>"),
    ],
)
def test_a_wrong_body_says_what_was_expected(
    capture: Capture, path: str, value: object, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        parse_predict(_changed(capture("predict_first_click"), path, value))


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(RequestError, match="expected a JSON object, got list"):
        parse_predict([])


def test_the_first_mask_control_of_the_configuration_is_answered(capture: Capture) -> None:
    body = capture("predict_first_click")
    for before, after, kind in (
        ("BrushLabels", "PolygonLabels", "polygon"),
        ("<PolygonLabels", '<BrushLabels name="b" toName="image"/><PolygonLabels', "brush"),
    ):
        body["label_config"] = body["label_config"].replace(before, after)
        (task,) = parse_predict(body)
        assert task.region is not None
        assert task.region.control.kind == kind


def test_a_label_config_without_masks_says_so(capture: Capture) -> None:
    body = capture("predict_first_click")
    body["label_config"] = body["label_config"].replace("BrushLabels", "EllipseLabels")
    with pytest.raises(LabelConfigError, match="no <BrushLabels"):
        parse_predict(body)


@pytest.mark.parametrize("xml", ["", "<View>", "<!DOCTYPE a [<!ENTITY b 'c'>]><View/>"])
def test_a_label_config_that_is_no_plain_xml_is_refused(capture: Capture, xml: str) -> None:
    with pytest.raises(LabelConfigError):
        parse_predict({**capture("predict_first_click"), "label_config": xml})


def test_a_click_on_the_border_is_kept_inside(capture: Capture) -> None:
    body = _changed(capture("predict_first_click"), "params.context.result.0.value.x", 100.2)
    (task,) = parse_predict(body)
    assert task.region is not None
    assert task.region.clicks[0].x == 1024
