"""Labels of answers. The points are as the real page sends them."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.label_config import parse_label_config
from backend.models.served import ServedModels
from backend.server.app import create_app
from tests.fakes import DiskSegmenter
from tests.unit.backend.page import box, point, request, row, saved, settings_of

_ONE = """<View><Image name="image" value="$image"/>
<BrushLabels name="mask" toName="image" smart="false" {choice}>{labels}</BrushLabels>
<KeyPointLabels name="kp" toName="image" smartOnly="true" {choice}>{labels}</KeyPointLabels>
</View>"""
_PLAIN = '<Label value="Cat"/><Label value="Dog"/>'
_ALIASES = '<Label value="Cat" alias="c1"/><Label value="Dog" alias="d1"/>'
_CROSSED = '<Label value="Cat" alias="Dog"/><Label value="Dog" alias="d1"/>'
_SAME = '<Label value="Cat" alias="c1"/><Label value="Cat" alias="c2"/>'
_TWO = """<View><Image name="image" value="$image"/>
<BrushLabels name="organs" toName="image"><Label value="Liver"/>{more}</BrushLabels>
<BrushLabels name="tumors" toName="image"><Label value="Tumor"/>{more}</BrushLabels>
<KeyPointLabels name="kp1" toName="image"><Label value="Liver"/>{more}</KeyPointLabels>
<KeyPointLabels name="kp2" toName="image"><Label value="Tumor"/>{more}</KeyPointLabels></View>"""
_DYNAMIC = """<View><Image name="image" value="$image"/>
<BrushLabels name="mask" toName="image" value="$labels">{static}</BrushLabels>
<KeyPointLabels name="kp" toName="image" value="$labels">{static}</KeyPointLabels></View>"""


def _config(labels: str = _PLAIN, choice: str = "") -> str:
    return _ONE.format(labels=labels, choice=choice)


def _client() -> FlaskClient:
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    return create_app(settings_of(), models=models).test_client()


def _point(*labels: str, control: str = "kp", x: float = 50) -> dict[str, Any]:
    made = point(f"p{x}", x, 60)
    made["value"]["keypointlabels"] = list(labels)
    return {**made, "from_name": control}


def _sent(config: str, *points: dict[str, Any], **task: object) -> dict[str, Any]:
    body = request(*points, config=config)
    data = {**body["tasks"][0]["data"], **task.pop("data", {})}  # type: ignore[dict-item]
    body["tasks"][0] |= {"data": data, **task}
    return dict(_client().post("/predict", json=body).json)


def _row(config: str, *points: dict[str, Any], **task: object) -> dict[str, Any]:
    (region,) = _sent(config, *points, **task)["results"][0]["result"]
    return dict(region)


def _draft(*labels: str) -> dict[str, Any]:
    there = row("r1", box(20, 20, 80, 100))
    there["value"]["brushlabels"] = list(labels)
    return saved(there)


@pytest.mark.parametrize(
    ("brush", "points", "sent", "expected"),
    [
        (_ALIASES, _ALIASES, "d1", "d1"),
        (_ALIASES, _PLAIN, "Dog", "d1"),
        (_PLAIN, _ALIASES, "d1", "Dog"),
        (_PLAIN, _PLAIN, "Dog", "Dog"),
        (_CROSSED, _PLAIN, "Dog", "d1"),
        (_CROSSED, _PLAIN, "Cat", "Dog"),
        (_CROSSED, _CROSSED, "Dog", "Dog"),
        (_SAME, _SAME, "c1", "c1"),
        (_SAME, _SAME, "c2", "c2"),
    ],
)
def test_an_alias_is_answered_as_the_page_has_it(
    brush: str, points: str, sent: str, expected: str
) -> None:
    config = _config(brush).replace(f'smartOnly="true" >{brush}', f'smartOnly="true" >{points}')
    assert _row(config, _point(sent))["value"]["brushlabels"] == [expected]


def test_another_alias_than_the_masks_makes_a_new_object() -> None:
    region = _row(_config(_ALIASES), _point("d1"), drafts=[_draft("c1")])
    assert (region["id"] != "r1", region["value"]["brushlabels"]) == (True, ["d1"])
    assert _row(_config(_ALIASES), _point("c1"), drafts=[_draft("c1")])["id"] == "r1"


def test_a_mask_from_before_there_was_an_alias_is_of_the_same_label() -> None:
    region = _row(_config(_ALIASES), _point("c1"), drafts=[_draft("Cat")])
    assert (region["id"], region["value"]["brushlabels"]) == ("r1", ["Cat"])
    assert _row(_config(_ALIASES), _point("d1"), drafts=[_draft("Cat")])["id"] != "r1"


@pytest.mark.parametrize("static", ["", '<Label value="Bird"/>'])
@pytest.mark.parametrize(
    "labels",
    [
        ["Cat", "Dog"],
        [{"value": "Cat"}, {"value": "Dog"}],
        [{"value": "Animals", "children": [{"value": "Dog", "background": "red"}]}],
        [{"value": "Hund", "alias": "Dog"}],
    ],
)
def test_labels_that_the_task_brings_are_answered(static: str, labels: list[Any]) -> None:
    config = _DYNAMIC.format(static=static)
    region = _row(config, _point("Dog"), data={"labels": labels})
    assert region["value"]["brushlabels"] == ["Dog"]


def test_a_mask_belongs_to_the_control_that_has_the_points_label() -> None:
    for label, control, expected in (("Tumor", "kp2", "tumors"), ("Liver", "kp1", "organs")):
        region = _row(_TWO.format(more=""), _point(label, control=control))
        assert (region["from_name"], region["value"]["brushlabels"]) == (expected, [label])


def test_a_label_that_two_controls_have_goes_with_the_control_of_the_points() -> None:
    config = _TWO.format(more='<Label value="Other"/>')
    for control, expected in (("kp1", "organs"), ("kp2", "tumors")):
        assert _row(config, _point("Other", control=control))["from_name"] == expected


def test_a_label_that_no_mask_has_is_an_error_and_not_another_label() -> None:
    client = _client()
    body = request(_point("Bird"), config=_config())
    answer = client.post("/predict", json=body)
    assert answer.json["results"] == []
    page = client.get("/").get_data(as_text=True)
    assert "Bird" in page
    assert "expected one of Cat, Dog" in page


def test_a_mask_without_labels_is_answered_for_any_point() -> None:
    config = _config().replace(f'smart="false" >{_PLAIN}', 'smart="false" >')
    assert _row(config, _point("Bird"))["value"]["brushlabels"] == []


def test_several_labels_of_a_point_stay() -> None:
    config = _config(choice='choice="multiple"')
    assert _row(config, _point("Cat", "Dog"))["value"]["brushlabels"] == ["Cat", "Dog"]
    region = _row(config, _point("Cat", "Dog"), drafts=[_draft("Dog", "Cat")])
    assert (region["id"], region["value"]["brushlabels"]) == ("r1", ["Dog", "Cat"])
    region = _row(config, _point("Dog"), drafts=[_draft("Cat", "Dog")])
    assert (region["id"], region["value"]["brushlabels"]) == ("r1", ["Cat", "Dog"])
    assert _row(config, _point("Cat", "Dog"), drafts=[_draft("Cat")])["id"] != "r1"


def test_a_control_of_one_label_answers_one() -> None:
    assert _row(_config(), _point("Dog", "Cat"))["value"]["brushlabels"] == ["Dog"]


def test_tags_count_in_any_case() -> None:
    config = _config()
    for tag in ("View", "Image", "BrushLabels", "KeyPointLabels", "Label", "toName"):
        config = config.replace(f"<{tag}", f"<{tag.lower()}").replace(f"/{tag}", f"/{tag.lower()}")
    config = config.replace("toName", "toname")
    assert _row(config, _point("Dog"))["value"]["brushlabels"] == ["Dog"]


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "UTF-16"])
def test_what_a_configuration_says_of_its_encoding_does_not_count(encoding: str) -> None:
    config = f'<?xml version="1.0" encoding="{encoding}"?>' + _config(
        _PLAIN.replace("Dog", "Köter")
    )
    assert _row(config, _point("Köter"))["value"]["brushlabels"] == ["Köter"]


def test_a_document_type_in_a_comment_is_none() -> None:
    config = "<!-- <!DOCTYPE a> <!ENTITY b> -->" + _config()
    assert _row(config, _point("Dog"))["value"]["brushlabels"] == ["Dog"]
    for xml in ("<!DOCTYPE View><View/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><View>&b;</View>"):
        with pytest.raises(LabelConfigError, match="document types"):
            parse_label_config(xml)


def test_one_control_of_two_images_answers_both() -> None:
    config = _config().replace('toName="image"', 'toName="image,other"')
    config = config.replace("<View>", '<View><Image name="other" value="$image"/>')
    for name in ("image", "other"):
        region = _row(config, {**_point("Dog"), "to_name": name})
        assert (region["from_name"], region["to_name"]) == ("mask", name)


def test_seeds_are_known_by_their_alias() -> None:
    labels = '<Label value="Yes" alias="y" seed="object"/>'
    config = parse_label_config(
        f'<View><BrushLabels name="a" toName="i">{labels}</BrushLabels></View>'
    )
    assert config.seeds == {"a": {"Yes": True, "y": True}}
