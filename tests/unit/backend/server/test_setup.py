"""What is wrong in a label configuration is on the status page before the first click."""

import logging

import pytest
from flask.testing import FlaskClient

from backend.models.served import ServedModels
from backend.server.app import create_app
from tests.fakes import DiskSegmenter, temporary_settings
from tests.unit.backend.page import BRUSH

_POINTS = """<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image">
<Label value="Liver"/><Label value="Tumor"/></BrushLabels><KeyPointLabels name="landmarks"
toName="image" {}><Label value="Cat"/><Label value="Dog"/></KeyPointLabels></View>"""
_GENERIC = """<Image name="second" value="$second"/><Labels name="labels" toName="second">
<Label value="Cow"/></Labels><KeyPoint name="plain" toName="second"/><PolygonLabels name="outline"
toName="second"><Label value="Horse"/></PolygonLabels></View>"""


@pytest.fixture
def client() -> FlaskClient:
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    return create_app(temporary_settings(), models=models).test_client()


def _setup(client: FlaskClient, config: str, project: str = "3.1790000000") -> None:
    answer = client.post("/setup", json={"project": project, "schema": config})
    assert answer.status_code == 200
    assert answer.json["model_version"].startswith("disks-1")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (BRUSH.format(' segmenter="sam"'), "segmenter='sam', expected mfp"),
        (BRUSH.format(' finder="sam"'), "finder='sam', expected mfp or deeplab"),
        (BRUSH.format(' finder="mfp" inpainter="sam"'), "inpainter='sam', expected telea"),
        (BRUSH.format(' overlaps="maybe"'), "overlaps='maybe', expected true or false"),
        (BRUSH.format("").replace('value="Dog"', 'value="Dog" seed="x"', 1), "seed='x'"),
        (BRUSH.format("").replace("BrushLabels", "RectangleLabels"), "a mask has no place"),
        (
            "<View><Image name='i' value='$i'/><Brush name='b' toName='i'/>"
            "<KeyPoint name='k' toName='i' smart='true'/></View>",
            "beside",
        ),
        (
            BRUSH.format("").replace('value="Dog"', 'value="Hund"', 1),
            "mask control of image 'image'",
        ),
        (_POINTS.format(""), "has: Cat, Dog; expected some of Liver, Tumor"),
        (_POINTS.format('smart="true"').replace("</View>", _GENERIC), "points of 'plain' have"),
        (BRUSH.format("").replace('toName="image"', 'toName="other"', 1), "on image 'image'"),
        ("<View><Text name='t' value='$t'/></View>", "no <Image>"),
        ("<View>", "not XML"),
    ],
)
def test_a_wrong_configuration_is_on_the_status_page_and_in_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, config: str, words: str
) -> None:
    with caplog.at_level(logging.ERROR):
        _setup(client, config)
    assert words in caplog.text
    assert "setup of project 3" in caplog.text
    page = client.get("/").text
    assert "LabelConfigError" in page
    assert "label_config/" in page


def test_the_same_mistake_is_told_once_and_again_when_it_comes_back(client: FlaskClient) -> None:
    wrong, right = BRUSH.format(' segmenter="sam"'), BRUSH.format(' segmenter="graph-cut"')
    for config in (wrong, wrong, right, right, wrong):
        _setup(client, config)
    _setup(client, wrong, project="4.1")
    page = client.get("/").text
    assert page.count("segmenter=&#39;sam&#39;") == 1  # errors that are alike are one row
    assert " ago, 3 times</td>" in page


_PLAIN = '<KeyPoint name="click" toName="image"/></View>'
_BRINGS = '<BrushLabels value="$labels" name="more" toName="image"/></View>'


@pytest.mark.parametrize(
    "config",
    [
        BRUSH.format(' finder="mfp" overlaps="true"'),
        "",
        _POINTS.format('smart="false"'),  # landmarks, of which the page never asks
        _POINTS.format("").replace("KeyPoint", "Rectangle"),  # nor of these, unless they say so
        _POINTS.format("").replace("</View>", _BRINGS),
        _POINTS.format("").replace('"Liver"', '"Liver" alias="Cat"').replace("Tumor", "Dog"),
        BRUSH.format("").partition("<KeyPointLabels")[0] + _PLAIN,
    ],
)
def test_a_right_configuration_is_no_error(client: FlaskClient, config: str) -> None:
    _setup(client, config)
    assert "LabelConfigError" not in client.get("/").text
