"""Which image a task shows: what Label Studio resolves in a `value`, pages, tasks without one."""

import base64
import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from backend.label_studio.config_xml import LabelConfigError, read_xml, repeated
from backend.label_studio.points import RequestError
from backend.label_studio.request import TaskRequest, parse_predict
from backend.label_studio.task_values import resolved
from backend.models.served import ServedModels
from backend.server.app import create_app
from tests.fakes import DiskSegmenter
from tests.unit.backend.page import (
    HEIGHT,
    WIDTH,
    box,
    point,
    request,
    row,
    saved,
    settings_of,
)

_CONFIG = """<View><Image name="image" {value}/>
<BrushLabels name="mask" toName="image"><Label value="Cat"/></BrushLabels>
<KeyPointLabels name="kp" toName="image"><Label value="Cat"/></KeyPointLabels></View>"""
_REPEATER = """<View><Repeater on="$images" indexFlag="{{idx}}" mode="pagination">
<Image name="image_{{idx}}" value="$images[{{idx}}].url"/>
<BrushLabels name="mask_{{idx}}" toName="image_{{idx}}"><Label value="Cat"/></BrushLabels>
<KeyPointLabels name="kp_{{idx}}" toName="image_{{idx}}"><Label value="Cat"/></KeyPointLabels>
</Repeater></View>"""
_PAGES = ["/data/upload/1/a.png", "/data/upload/1/b.png"]


def _parsed(config: str, data: dict[str, object], *points: dict[str, Any]) -> TaskRequest:
    body = request(*points, config=config)
    body["tasks"][0]["data"] = data
    (task,) = parse_predict(body)
    return task


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ('value="$image"', {"image": "/a.png"}),
        ('value="$meta.url"', {"meta": {"url": "/a.png"}}),
        ('value="$images[0]"', {"images": ["/a.png", "/b.png"]}),
        ('value="$images[0].url"', {"images": [{"url": "/a.png"}]}),
        ('value="$deep.list[1].url"', {"deep": {"list": [{}, {"url": "/a.png"}]}}),
        ('value="$meta.url"', {"meta.url": "/a.png"}),
        ('value="/$name.png"', {"name": "a", "name.png": "a.png"}),
        ('value="/$name[0].png"', {"name": [{"png": "a.png"}]}),
        ('value="/a.png"', {}),
        ('valueList="$images"', {"images": ["/a.png", "/b.png"]}),
        ('valuelist="$images"', {"images": ["/a.png"]}),
        ('value="$images"', {"images": ["/a.png", "/b.png"]}),
    ],
)
def test_an_image_is_where_label_studio_finds_it(value: str, data: dict[str, object]) -> None:
    config = _CONFIG.format(value=value)
    assert _parsed(config, data, point("p", 50, 60)).image == "/a.png"


def test_what_is_not_there_is_nothing() -> None:
    data = {"images": [{"url": "a"}], "text": "a", "none": None}
    for value in ("$images[1].url", "$images.x", "$text.url", "$text[0]", "$none", "$else"):
        assert resolved(value, data) is None
    assert resolved("$images[" + "9" * 5000 + "]", data) is None


def test_a_repeater_has_an_image_for_each_element() -> None:
    data = {"images": [{"url": "/a.png"}, {"url": "/b.png"}]}
    clicked = {**point("p", 50, 60), "to_name": "image_1", "from_name": "kp_1"}
    task = _parsed(_REPEATER, data, clicked)
    assert task.image == "/b.png"
    assert task.region is not None
    assert (task.region.control.name, task.region.control.to_name) == ("mask_1", "image_1")


def test_repeaters_lie_in_each_other() -> None:
    config = """<View><Repeater on="$a" indexFlag="{{i}}"><Repeater on="$b" indexFlag="{{j}}">
    <Image name="image_{{i}}_{{j}}" value="$a[{{i}}]/$b[{{j}}]"/></Repeater></Repeater></View>"""
    body = request(config=config)
    body["params"]["context"] = None
    body["tasks"][0]["data"] = {"a": ["x", "y"], "b": ["1", "2"]}
    (task,) = parse_predict(body)
    assert task.image == "x/1"


def test_an_address_of_ever_so_many_values_is_none() -> None:
    value = "/" + "$name" * 300_000
    assert resolved(value, {"name": "a" * 10}) == "/" + "a" * 3_000_000
    assert resolved(value, {"name": "a" * 1_000_000}) is None
    config = _CONFIG.format(value=f'value="{value}"')
    with pytest.raises(RequestError, match="at most 20000000 letters"):
        _parsed(config, {"name": "a" * 1_000_000})


def test_a_repeater_is_bounded() -> None:
    body = request(point("p", 50, 60), config=_REPEATER)
    body["tasks"][0]["data"] = {"images": [{"url": "/a.png"}] * 100_000}
    answer = _client().post("/predict", json=body)
    assert "repeaters make more than 50000 tags" in str(answer.json)
    never = "<Repeater on='$none'>" + 300 * "<Label/>" + "</Repeater>"
    for content, n_elements in (("", 50_001), (never, 300)):
        root = read_xml(f"<View><Repeater on='$images'>{content}</Repeater></View>")
        with pytest.raises(LabelConfigError, match="more than 50000 tags"):
            repeated(root, {"images": [0] * n_elements})


def _client() -> FlaskClient:
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    return create_app(settings_of(), models=models).test_client()


def _uri(color: str) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), color).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _on_page(index: int, *names: str) -> list[dict[str, Any]]:
    return [{**point(name, 50, 60), "item_index": index, "from_name": "kp"} for name in names]


def test_pages_never_mix_their_masks_and_points() -> None:
    body = request(*_on_page(0, "first"), *_on_page(1, "second"))
    body["label_config"] = _CONFIG.format(value='valueList="$images"')
    there = saved(
        row("zero", box(20, 20, 80, 100), item_index=0),
        row("none", box(0, 0, 200, 120)),
        row("one", box(100, 20, 140, 100), item_index=1),
    )
    body["tasks"][0] |= {"data": {"images": [_uri("red"), _uri("blue")]}, "drafts": [there]}
    (task,) = parse_predict(body)
    assert task.region is not None
    assert task.region.point_ids == {"second"}
    (region,) = _client().post("/predict", json=body).json["results"][0]["result"]
    assert region["item_index"] == 1
    assert region["id"] not in ("zero", "none", "one")
    body["params"]["context"]["result"] = _on_page(0, "third")
    (region,) = _client().post("/predict", json=body).json["results"][0]["result"]
    assert (region["item_index"], region["id"]) == (0, "zero")


def test_an_image_of_one_page_has_no_index() -> None:
    (region,) = (
        _client().post("/predict", json=request(point("p", 50, 60))).json["results"][0]["result"]
    )
    assert "item_index" not in region


@pytest.mark.parametrize("data", [{"image": None}, {}, {"image": ""}, {"image": 3}])
def test_a_task_without_an_image_leaves_the_others_alone(data: dict[str, object]) -> None:
    body = request(config=_CONFIG.format(value='value="$image"'))
    body["params"]["context"] = None
    body["tasks"] = [{"id": 1, "data": data}, body["tasks"][0]]
    client = _client()
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200
    page = client.get("/").get_data(as_text=True)
    assert "task 1: image: expected str" in page


def test_every_task_of_a_list_has_an_entry_where_objects_are_found() -> None:
    config = _CONFIG.format(value='value="$image"').replace(
        "<BrushLabels", '<BrushLabels finder="mfp"'
    )
    body = request(config=config)
    body["params"]["context"] = None
    body["tasks"] = [
        {"id": 1, "data": {"image": None}},
        {"id": 2},
        {"id": 3, "data": {"image": ":"}},
    ]
    answer = _client().post("/predict", json=body)
    assert answer.json == {"results": [{"result": [], "score": 0.0}] * 3}
