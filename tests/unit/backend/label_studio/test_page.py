"""What counts as being on the page. The requests are as the real page sent them."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.models.served import ServedModels
from backend.server.app import create_app
from backend.settings import Settings
from tests.fakes import DiskSegmenter, temporary_settings
from tests.unit.backend.page import (
    BRUSH,
    HEIGHT,
    WIDTH,
    ProjectSite,
    box,
    point,
    row,
    saved,
    settings_of,
    site_of,
)
from tests.unit.backend.page import request as made_request

Capture = Callable[[str], Any]

_EARLIER = box(80, 50, 140, 100)
_CLICK = point("p", 100, 72)  # at 50 and 60 percent
_BESIDE = point("q", 150, 72)


def _client(settings: Settings) -> FlaskClient:
    models = ServedModels(lambda checkpoint: DiskSegmenter(), version="disks-1")
    return create_app(settings, models=models).test_client()


def _body(capture: Capture, *points: dict[str, Any], **task: object) -> dict[str, Any]:
    """A captured click, at another place of another task."""
    body = capture("predict_first_click")
    made = made_request(*points)
    (captured,) = body["tasks"]
    assert "overlap" not in captured
    captured |= {"data": made["tasks"][0]["data"], "predictions": [], **task}
    body |= {"label_config": BRUSH.format(""), "project": "3.1795215844"}
    body["params"]["context"]["result"] = list(points)
    return dict(body)


def _row(client: FlaskClient, body: dict[str, Any]) -> dict[str, Any]:
    (region,) = client.post("/predict", json=body).json["results"][0]["result"]
    return dict(region)


def _annotation(**more: object) -> dict[str, Any]:
    return saved(
        row("earlier", _EARLIER), **{"id": 5, "completed_by": 1, "was_cancelled": False, **more}
    )


def _new_draft(*rows: dict[str, Any]) -> dict[str, Any]:
    return saved(*rows, id=9, annotation=None)


@pytest.mark.parametrize(
    ("project", "task"),
    [
        ({"maximum_annotations": 2}, {"annotations": [_annotation()]}),
        ({}, {"annotations": [_annotation(was_cancelled=True)]}),
        ({}, {"annotations": [_annotation()]}),  # in a new one beside it
        ({}, {"annotations": [_annotation(), {**_annotation(), "id": 6}]}),
        ({"show_collab_predictions": False}, {"predictions": [_annotation()]}),
        ({}, {"annotations": [_annotation(was_cancelled=True)], "predictions": [_annotation()]}),
    ],
)
def test_a_click_where_a_mask_lies_that_is_not_on_the_page_makes_a_new_object(
    capture: Capture, project: dict[str, object], task: dict[str, object]
) -> None:
    client = _client(settings_of(**project))
    site_of(**project).drafts = [_new_draft(_CLICK)]
    region = _row(client, _body(capture, _CLICK, **task))
    alone = _row(client, _body(capture, _CLICK))
    assert region["id"] != "earlier"
    assert region["value"] == alone["value"]


@pytest.mark.parametrize(
    ("project", "place"),
    [
        ({"maximum_annotations": 2}, "annotations"),
        ({"show_collab_predictions": False}, "predictions"),
    ],
)
def test_what_is_not_on_the_page_is_not_kept_clear_of(
    capture: Capture, project: dict[str, object], place: str
) -> None:
    client = _client(settings_of(**project))
    region = _row(client, _body(capture, _BESIDE, **{place: [_annotation()]}))
    assert region["value"] == _row(client, _body(capture, _BESIDE))["value"]


def test_a_draft_of_a_new_annotation_hides_the_submitted_one(capture: Capture) -> None:
    draft = saved(id=9, annotation=None, user="annotator@example")
    body = _body(capture, _CLICK, _BESIDE, annotations=[_annotation()], drafts=[draft])
    assert _row(_client(settings_of()), body)["id"] != "earlier"


def test_a_draft_of_the_submitted_one_shows_it(capture: Capture) -> None:
    draft = saved(row("earlier", _EARLIER), _CLICK, id=9, annotation=5)
    body = _body(capture, _CLICK, annotations=[_annotation()], drafts=[draft])
    for project in ({}, {"maximum_annotations": 2}):
        assert _row(_client(settings_of(**project)), body)["id"] == "earlier"


@pytest.fixture
def site() -> ProjectSite:
    """A Label Studio of one annotator a task, nothing asked of it yet."""
    site = site_of()
    site.drafts, site.n_asked_for_drafts = [], 0
    return site


_AWAY = point("a", 90, 60, is_positive=False)
_ORDERS = [(_CLICK, _BESIDE), (_BESIDE, _CLICK), (_CLICK,), (_BESIDE,)]


@pytest.mark.parametrize("points", _ORDERS)
def test_clicks_that_change_a_submitted_mask_edit_it_before_there_is_a_draft(
    capture: Capture, site: ProjectSite, points: tuple[dict[str, Any], ...]
) -> None:
    body = _body(capture, *points, annotations=[_annotation()])
    site.drafts = [saved(row("earlier", _EARLIER), *points, id=9, annotation=5)]
    region = _row(_client(settings_of()), body)
    assert (region["id"] == "earlier") == (points[0] is _CLICK)
    in_draft = _body(capture, *points, annotations=[_annotation()], drafts=site.drafts)
    assert region["value"] == _row(_client(settings_of()), in_draft)["value"]


@pytest.mark.parametrize("points", _ORDERS)
def test_a_new_annotation_beside_a_submitted_one_gets_nothing_of_it_with_any_clicks(
    capture: Capture, site: ProjectSite, points: tuple[dict[str, Any], ...]
) -> None:
    site.drafts = [_new_draft(*points)]
    body = _body(capture, *points, annotations=[_annotation()])
    region = _row(_client(settings_of()), body)
    assert region["id"] != "earlier"
    assert region["value"] == _row(_client(settings_of()), _body(capture, *points))["value"]


def test_too_much_of_an_unseen_mask_is_not_taken_away(capture: Capture, site: ProjectSite) -> None:
    site.drafts = [_new_draft(_AWAY)]
    client = _client(settings_of())
    body = _body(capture, _AWAY, annotations=[_annotation()])
    assert client.post("/predict", json=body).json["results"][0]["result"] == []
    site.drafts = [saved(row("earlier", _EARLIER), _AWAY, id=9, annotation=5)]
    assert _row(client, body)["id"] == "earlier"


def test_a_page_that_saves_no_draft_gets_a_new_object_and_the_status_page_says_why(
    capture: Capture, site: ProjectSite
) -> None:
    site.drafts = None  # it cannot be asked
    client = _client(settings_of())
    for points in ((_CLICK, _BESIDE), (_BESIDE,)):
        region = _row(client, _body(capture, *points, annotations=[_annotation()]))
        assert region["id"] != "earlier"
        assert region["value"] == _row(client, _body(capture, *points))["value"]
    page = client.get("/").get_data(as_text=True)
    assert page.count("which annotation has the click") == 1


def test_nobody_waits_for_a_draft_where_the_answer_does_not_hang_on_it(
    capture: Capture, site: ProjectSite
) -> None:
    far = point("f", 20, 20)
    region = _row(_client(settings_of()), _body(capture, far, annotations=[_annotation()]))
    assert region["id"] != "earlier"
    assert site.n_asked_for_drafts == 0


@pytest.mark.parametrize("holder", [1, 2])
def test_of_two_drafts_of_ones_own_that_counts_which_has_the_click(
    capture: Capture, site: ProjectSite, holder: int
) -> None:
    earlier = saved(row("r1", _EARLIER), id=1, annotation=None)
    newer = saved(row("r2", _EARLIER), id=2, annotation=5)
    body = _body(capture, _CLICK, drafts=[earlier, newer])
    site.drafts = [
        {**draft, "result": [*draft["result"], *([_CLICK] if draft["id"] == holder else [])]}
        for draft in (earlier, newer)
    ]
    assert _row(_client(settings_of()), body)["id"] == f"r{holder}"


def test_strokes_of_an_unseen_annotation_are_no_seeds(capture: Capture, site: ProjectSite) -> None:
    config = BRUSH.format("").replace(
        "</View>",
        '<BrushLabels name="seeds" toName="image"><Label value="in" seed="object"/>'
        '<Label value="out" seed="background"/></BrushLabels></View>',
    )
    stroke = row("s", box(60, 60, 190, 80), label="out", from_name="seeds")
    body = _body(capture, _CLICK, annotations=[saved(stroke, id=5)])
    alone = _body(capture, _CLICK)
    body["label_config"] = alone["label_config"] = config
    site.drafts = [_new_draft(_CLICK)]
    client = _client(settings_of())
    assert _row(client, body)["value"] == _row(client, alone)["value"]


def test_the_prediction_of_the_version_that_the_project_shows_is_on_the_page(
    capture: Capture,
) -> None:
    shown = {**saved(row("shown", _EARLIER)), "model_version": "m-1"}
    newer = {**saved(row("newer", _EARLIER)), "model_version": "m-2"}
    body = _body(capture, _CLICK, predictions=[shown, newer])
    assert _row(_client(settings_of(model_version="m-1")), body)["id"] == "shown"


def test_two_people_begin_with_the_same_prediction_and_not_with_each_other(
    capture: Capture,
) -> None:
    prediction = saved(row("model", _EARLIER))
    client = _client(settings_of(maximum_annotations=2))
    region = _row(client, _body(capture, _BESIDE, _CLICK, predictions=[prediction]))
    assert region["id"] != "model"
    for name, place in (("mine", 75), ("theirs", 138)):
        points = point(f"{name}-1", 100, 72), point(f"{name}-2", place, 72)
        alone = _row(_client(settings_of()), _body(capture, *points, predictions=[prediction]))
        both = _row(client, _body(capture, *points, predictions=[prediction]))
        assert both["id"] == "model"
        assert both["value"] == alone["value"]


@pytest.mark.parametrize("place", ["annotations", "predictions"])
def test_without_a_token_the_status_page_says_once_what_is_not_known(
    capture: Capture, place: str
) -> None:
    client = _client(temporary_settings())
    for _ in range(2):
        region = _row(client, _body(capture, _CLICK, _BESIDE, **{place: [_annotation()]}))
        assert region["id"] != "earlier"
    page = client.get("/").get_data(as_text=True)
    assert page.count("LABEL_STUDIO_API_KEY are not both set") == 1
    assert "project 3" in page


def test_the_size_of_the_pictures_here_is_that_of_the_clicks() -> None:
    assert (_CLICK["value"]["x"], _CLICK["value"]["y"]) == (50, 60)
    assert _EARLIER[72, 100]
    assert (_CLICK["original_width"], _CLICK["original_height"]) == (WIDTH, HEIGHT)
