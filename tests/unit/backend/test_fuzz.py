"""Requests of the real Label Studio, mutated: never a 5xx, never a mask of a wrong size.

`MFP_FUZZ_EXAMPLES=10000 python -m pytest tests/unit/backend/test_fuzz.py` looks longer, and
`python -m tests.fuzz` sends a hundred thousand.
"""

from __future__ import annotations

import base64
import copy
import io
import json
import logging
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.label_studio.brush_rle import decode, encode
from backend.models.served import ServedModels
from backend.server.app import create_app
from tests import fuzz
from tests.fakes import DiskSegmenter, temporary_settings

pytestmark = pytest.mark.slow

_N_EXAMPLES = int(os.environ.get("MFP_FUZZ_EXAMPLES", "300"))
_WIDTH, _HEIGHT = 64, 48
_MAX_GROWTH_MB = 150
_CACHE_MB = 2.0
_ROOT = Path(__file__).parents[3]
_CAPTURES = sorted((_ROOT / "tests" / "data" / "captures").glob("*.json"))


def _image(seed: int) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (_WIDTH, _HEIGHT), (seed, 0, 0)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _capture(path: Path) -> Any:  # noqa: ANN401
    """A captured body with a small image in place of its own."""
    body = json.loads(path.read_text()).get("json")
    for task in body.get("tasks", []) if isinstance(body, dict) else []:
        task["data"] = {name: _image(0) for name in task["data"]}
        for point in ((body.get("params") or {}).get("context") or {}).get("result", []):
            point.update(original_width=_WIDTH, original_height=_HEIGHT)
    return body


def _with_strokes() -> Any:  # noqa: ANN401
    """A click on a project with seed strokes, one of them as an RLE and one as a line."""
    (path,) = (path for path in _CAPTURES if path.stem == "predict_first_click")
    body = _capture(path)
    body["label_config"] = (_ROOT / "label_config" / "strokes.xml").read_text()
    painted = np.zeros((_HEIGHT, _WIDTH), dtype=np.bool_)
    painted[5:9, 5:30] = True
    line = {"type": "add", "relativePoints": [1, 2, 60, 70.5], "relativeStrokeWidth": 3.5}
    body["tasks"][0]["drafts"] = [
        {
            "updated_at": "2026-11-21T17:10:00Z",
            "result": [
                {
                    "id": label,
                    "type": "brushlabels",
                    "from_name": "seeds",
                    "to_name": "image",
                    "original_width": _WIDTH,
                    "original_height": _HEIGHT,
                    "value": {"format": "rle", "brushlabels": [label], **drawn},
                }
                for label, drawn in (
                    ("Object here", {"touches": [line]}),
                    ("Not object", {"rle": encode(painted)}),
                )
            ],
        }
    ]
    return body


def _with_masks() -> Any:  # noqa: ANN401
    """A click on a mask that is there already, a polygon beside it, and the draft of them."""
    (path,) = (path for path in _CAPTURES if path.stem == "predict_first_click")
    body = _capture(path)
    point = body["params"]["context"]["result"][0]
    mask = np.ones((_HEIGHT, _WIDTH), dtype=np.bool_)
    mask[:, 40:] = False
    row = {
        "id": "there",
        "type": "brushlabels",
        "from_name": "brush",
        "to_name": "image",
        "original_width": _WIDTH,
        "original_height": _HEIGHT,
        "value": {"format": "rle", "rle": encode(mask), "brushlabels": ["Object"]},
    }
    corners = [[70, 10], [90, 10], [90, 60]]
    polygon = {"points": corners, "closed": True, "polygonlabels": ["Object"]}
    beside = {**row, "id": "beside", "type": "polygonlabels", "value": polygon}
    saved = {"id": 5, "updated_at": "2026-11-21T17:10:00Z", "result": [row, beside]}
    task = body["tasks"][0]
    task |= {"annotations": [saved], "predictions": [saved], "overlap": 1}
    task["drafts"] = [{**saved, "annotation": 5, "result": [row, beside, point]}]
    return body


_BODIES = [(path.stem, _capture(path)) for path in _CAPTURES]
_BODIES.append(("predict_with_strokes", _with_strokes()))
_BODIES.append(("predict_with_masks", _with_masks()))
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 1, 10**400, 2**63, 64, 48]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        [
            "keypointlabels",
            "keypoint",
            "labels",
            "image",
            "Object",
            "s3://b/k",
            "/data/upload/1/a.png",
            "http://127.0.0.1:9/a.png",
            "file:///etc/passwd",
            "data:image/png;base64,AAAA",
            "\ud800",
            "<View><Image name='image' value='$image'/></View>",
        ]
    ),
    st.integers(0, 255).map(_image),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def _places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield (*path, index)
            yield from _places(inner, (*path, index))


@st.composite
def _requests(draw: st.DrawFn) -> tuple[str, bytes]:
    name, body = draw(st.sampled_from(_BODIES))
    body = copy.deepcopy(body)
    for _ in range(draw(st.integers(0, 4))):
        places = list(_places(body))
        if not places:
            break
        clicks = [place for place in places if "params" in place or "label_config" in place]
        *parents, last = draw(st.sampled_from(places) | st.sampled_from(clicks or places))
        holder = body
        for key in parents:
            holder = holder[key]
        change = draw(st.sampled_from(["replace", "delete", "repeat"]))
        if change == "delete":
            del holder[last]
        elif change == "repeat" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))
        else:
            holder[last] = draw(_VALUES)
    content = json.dumps(body).encode()
    if draw(st.integers(0, 9)) == 0:
        cut = draw(st.integers(0, len(content)))
        content = content[:cut] + draw(st.binary(max_size=8)) + content[cut:]
    return name.partition("_")[0], content


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    limits = {"memory_mb": 6 * _CACHE_MB, "fetch_total_s": 0.2}  # a sixth for images
    models = ServedModels(lambda checkpoint: DiskSegmenter(radius=6), version="disks-1")
    return create_app(temporary_settings(**limits), models=models).test_client()


def _check(result: dict[str, Any]) -> None:
    for row in result["result"]:
        width, height = row["original_width"], row["original_height"]
        assert (width, height) == (_WIDTH, _HEIGHT)
        if "rle" in row["value"]:
            decode(row["value"]["rle"], height=height, width=width)
        else:
            assert all(0 <= part <= 100 for point in row["value"]["points"] for part in point)


@pytest.mark.slow
@settings(
    max_examples=_N_EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(request=_requests())
def test_no_request_breaks_the_server(client: FlaskClient, request: tuple[str, bytes]) -> None:
    kind, content = request
    route = {"predict": "/predict", "webhook": "/webhook"}.get(kind, "/setup")
    answer = client.post(route, data=content, content_type="application/json")
    assert answer.status_code < 500, answer.text
    assert "internal error" not in answer.text  # a bug is answered 200 and empty, too
    if route == "/predict" and answer.status_code == 200:
        for result in answer.json["results"]:
            _check(result)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1,
        0,
        10**400,
        -(10**400),
        1e308,
        float("nan"),
        "x",
        "\ud800",
        [],
        {},
        [[]],
        [{}],
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["predict_first_click", "predict_with_strokes"])
def test_no_value_at_any_place_of_a_click_breaks_the_server(
    client: FlaskClient, name: str, value: object
) -> None:
    original = dict(_BODIES)[name]
    for *parents, last in _places(original):
        if isinstance(last, int) and last > 6:  # of an RLE's numbers, the first ones
            continue
        body = copy.deepcopy(original)
        holder = body
        for key in parents:
            holder = holder[key]
        holder[last] = value
        answer = client.post("/predict", json=body)
        assert answer.status_code < 500
        assert "internal error" not in answer.text, (parents, last)
        for result in answer.json.get("results", []):
            _check(result)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 100_000])
@pytest.mark.parametrize("route", ["/predict", "/webhook", "/setup"])
def test_deep_and_long_json_is_refused(client: FlaskClient, route: str, content: bytes) -> None:
    answer = client.post(route, data=content, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.slow
def test_memory_stays_bounded(client: FlaskClient) -> None:
    path = next(path for path in _CAPTURES if path.stem == "predict_first_click")
    body = _capture(path)

    def send(n: int) -> None:
        for seed in range(n):
            body["tasks"][0]["data"]["image"] = _image(seed % 256)
            body["params"]["context"]["result"][0]["value"]["x"] = seed % 97
            assert client.post("/predict", json=body).json["results"]

    send(100)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    send(_N_EXAMPLES)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    assert grown_mb < _MAX_GROWTH_MB
    for cache in ("images", "clicks"):
        lines = client.get("/metrics").text.splitlines()
        (held,) = (x for x in lines if x.startswith(f'mfp_cache_bytes{{cache="{cache}"}}'))
        assert float(held.split()[-1]) <= _CACHE_MB * 1e6


@pytest.fixture
def silence() -> Iterator[None]:
    """No log: its letters cannot all be sent from pytest's worker processes."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
def test_requests_bent_at_random_break_nothing(silence: None) -> None:
    outcome = fuzz.run(fuzz.client_of(), seed=7, n_requests=1000)
    assert not outcome.failures, ascii(outcome.failures[:3])
    assert outcome.n_masks > 100
    assert outcome.statuses[200] > 300
    assert outcome.statuses[400] > 100
