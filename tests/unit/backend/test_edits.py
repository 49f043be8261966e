"""Masks that are there already: clicked on they are edited, clicked beside they are kept clear of.

The answers go through the whole application; what the page does with them is for the browser tests.
"""

import base64
import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from backend import brush_rle
from backend.app import create_app
from backend.model_slot import ModelSlot
from backend.settings import Settings
from mfp_model.polygons import mask_of, polygons_of
from tests.fakes import DiskSegmenter, temporary_settings

HEIGHT, WIDTH = 120, 200
_TIMES = itertools.count()
BRUSH = """<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image"{}>
<Label value="Cat"/><Label value="Dog"/></BrushLabels>
<KeyPointLabels name="click" toName="image"><Label value="Cat"/><Label value="Dog"/>
</KeyPointLabels></View>"""
POLYGON = BRUSH.replace("BrushLabels", "PolygonLabels")


def _client(settings: Settings | None = None) -> FlaskClient:
    slot = ModelSlot(lambda checkpoint: DiskSegmenter(), version="disks-1")
    return create_app(settings or temporary_settings(), slot=slot).test_client()


def _box(left: int, top: int, right: int, bottom: int) -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def _row(name: str, mask: NDArray[np.bool_], label: str = "Cat", **more: object) -> dict[str, Any]:
    value = {"format": "rle", "rle": brush_rle.encode(mask), "brushlabels": [label]}
    return {
        "id": name,
        "type": "brushlabels",
        "from_name": "mask",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "value": value,
        **more,
    }


def _point(name: str, x: float, y: float, *, is_positive: bool = True, label: str = "Cat") -> Any:  # noqa: ANN401
    value = {"x": x / WIDTH * 100, "y": y / HEIGHT * 100, "keypointlabels": [label]}
    return {
        "id": name,
        "type": "keypointlabels",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "is_positive": is_positive,
        "value": value,
    }


def _saved(*rows: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"result": list(rows), "updated_at": f"2026-01-01T00:00:{next(_TIMES):02}Z", **more}


def _answer(
    client: FlaskClient,
    *points: dict[str, Any],
    config: str = BRUSH.format(""),
    **task: object,
) -> list[dict[str, Any]]:
    buffer = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), "blue").save(buffer, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    body = {
        "tasks": [{"id": 7, "data": {"image": uri}, "overlap": 1, **task}],
        "label_config": config,
        "project": "3.1",
        "params": {"context": {"result": list(points)}},
    }
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.json
    rows: list[dict[str, Any]] = answer.json["results"][0]["result"]
    return rows


def _mask(row: dict[str, Any]) -> NDArray[np.bool_]:
    return brush_rle.decode(row["value"]["rle"], height=HEIGHT, width=WIDTH) > 127


CAT = _box(20, 20, 80, 100)


@pytest.mark.parametrize("place", ["annotations", "drafts", "predictions"])
def test_a_mask_that_is_clicked_on_is_answered_under_its_id(place: str) -> None:
    saved = _saved(_row("r1", CAT))
    (row,) = _answer(_client(), _point("p1", 70, 60), _point("p2", 90, 60), **{place: [saved]})
    assert row["id"] == "r1"
    mask = _mask(row)
    assert (mask & CAT).sum() == CAT.sum()
    assert mask[60, 95]
    assert not mask[60, 120]


def test_too_much_goes_by_a_first_negative_click() -> None:
    saved = _saved(_row("r1", CAT))
    (row,) = _answer(_client(), _point("p", 25, 25, is_positive=False), annotations=[saved])
    assert row["id"] == "r1"
    assert not _mask(row)[25, 25]
    assert _mask(row)[90, 70]
    beside = _point("p", 150, 60, is_positive=False)
    assert _answer(_client(), beside, annotations=[saved]) == []


def test_a_click_beside_all_masks_is_a_new_object_that_covers_none() -> None:
    saved = _saved(_row("r1", CAT), _row("r2", _box(120, 20, 140, 100), "Dog"))
    (row,) = _answer(_client(), _point("p", 100, 60), annotations=[saved])
    assert row["id"] not in ("r1", "r2")
    mask = _mask(row)
    assert mask[60, 100]
    assert not (mask & (CAT | _box(120, 20, 140, 100))).any()
    assert mask[60, 82]
    config = BRUSH.format(' overlaps="true"')
    (row,) = _answer(_client(), _point("p", 85, 60), annotations=[saved], config=config)
    assert _mask(row)[60, 75]


def test_a_click_of_another_label_makes_an_object_that_may_cover_what_it_claims() -> None:
    saved = _saved(_row("r1", CAT))
    (row,) = _answer(_client(), _point("p", 50, 60, label="Dog"), annotations=[saved])
    assert row["id"] != "r1"
    assert row["value"]["brushlabels"] == ["Dog"]
    assert _mask(row)[60, 50]


def test_the_smaller_of_two_masks_is_meant() -> None:
    small = _box(40, 40, 60, 60)
    saved = _saved(_row("large", CAT), _row("small", small))
    (row,) = _answer(_client(), _point("p", 50, 50), annotations=[saved])
    assert row["id"] == "small"


def test_an_edit_never_takes_from_its_prior_what_another_mask_has_too() -> None:
    other = _box(60, 20, 120, 100)
    saved = _saved(_row("r1", CAT), _row("r2", other))
    (row,) = _answer(_client(), _point("p", 30, 60), _point("q", 55, 60), annotations=[saved])
    mask = _mask(row)
    assert mask[:, :80][CAT[:, :80]].all()
    assert not mask[60, 81:].any()


def test_polygons_are_edited_and_keep_the_first_parts_id() -> None:
    (outline,) = polygons_of(CAT, max_error_px=0.5)
    points = (outline / [WIDTH, HEIGHT] * 100).tolist()
    row = _row("r1", CAT, type="polygonlabels")
    row["value"] = {"points": points, "closed": True, "polygonlabels": ["Cat"]}
    config = POLYGON.format("")
    (row,) = _answer(_client(), _point("p", 75, 60), annotations=[_saved(row)], config=config)
    assert row["id"] == "r1"
    corners = np.array(row["value"]["points"]) / 100 * [WIDTH, HEIGHT]
    drawn = mask_of([corners], height=HEIGHT, width=WIDTH)
    assert drawn[60, 90]
    assert (drawn & CAT).sum() > 0.97 * CAT.sum()


def test_the_prior_stays_while_the_object_is_clicked_whatever_the_page_saves() -> None:
    client = _client()
    first = _point("p1", 75, 60)
    _answer(client, first, drafts=[_saved(_row("r1", CAT))])
    damaged = _saved(_row("r1", _box(60, 50, 80, 70)), {"id": "p1", "type": "keypointlabels"})
    (row,) = _answer(client, first, _point("p2", 30, 30), drafts=[damaged])
    assert (_mask(row) & CAT).sum() == CAT.sum()


def test_a_second_edit_starts_from_the_first_before_the_page_has_saved_it() -> None:
    settings = temporary_settings()
    draft = _saved(_row("r1", CAT))
    _answer(_client(settings), _point("p1", 75, 60), drafts=[draft])
    # Another worker, the same draft, which may have the points that accepting removed.
    for stale in (draft, _saved(_row("r1", CAT), {"id": "p1", "type": "keypointlabels"})):
        (row,) = _answer(_client(settings), _point("q1", 90, 60), drafts=[stale])
        assert row["id"] == "r1"
        assert _mask(row)[60, 85]
        _answer(_client(settings), _point("p1", 75, 60), drafts=[draft])
    dismissed = _saved(_row("r1", CAT))
    (row,) = _answer(_client(settings), _point("q2", 25, 60), drafts=[dismissed])
    assert not _mask(row)[60, 85]


def test_in_a_task_for_several_people_only_the_annotation_with_the_points_counts() -> None:
    theirs = _saved(_row("theirs", CAT))
    (row,) = _answer(_client(), _point("p", 50, 60), annotations=[theirs], overlap=2)
    assert row["id"] != "theirs"
    mine = _saved(_row("mine", CAT), {"id": "p", "type": "keypointlabels"})
    later = _saved(_row("later", CAT))
    (row,) = _answer(
        _client(), _point("p", 50, 60), drafts=[mine, later], annotations=[theirs], overlap=2
    )
    assert row["id"] == "mine"


def test_a_draft_takes_the_place_of_its_annotation() -> None:
    annotation = {**_saved(_row("r1", _box(0, 0, 200, 120))), "id": 5, "updated_at": "2027"}
    draft = _saved(_row("r1", CAT), annotation=5)
    (row,) = _answer(_client(), _point("p", 50, 60), annotations=[annotation], drafts=[draft])
    assert not _mask(row)[10, 10]


def test_damaged_masks_are_no_masks(caplog: pytest.LogCaptureFixture) -> None:
    damaged = _row("r1", CAT)
    damaged["value"]["rle"] = damaged["value"]["rle"][:20]
    odd = _row("r2", CAT)
    odd["value"]["rle"] = ["x"]
    other_size = _row("r3", CAT, original_width=WIDTH + 1)
    saved = _saved(damaged, odd, other_size, "no row")  # type: ignore[arg-type]
    (row,) = _answer(_client(), _point("p", 50, 60), annotations=[saved])
    assert row["id"] not in ("r1", "r2", "r3")
    assert "r1" in caplog.text


def test_edits_are_answered_by_mfp_where_another_segmenter_is_chosen() -> None:
    config = BRUSH.format(' segmenter="graph-cut"')
    saved = _saved(_row("r1", CAT))
    (row,) = _answer(_client(), _point("p", 75, 60), annotations=[saved], config=config)
    assert row["id"] == "r1"
    assert _mask(row)[60, 90]


def test_a_hundred_masks_around_are_kept_clear_of(tmp_path: Path) -> None:
    rows = [
        _row(f"r{i}", _box(i % 20 * 10, i // 20 * 24, i % 20 * 10 + 5, i // 20 * 24 + 20))
        for i in range(100)
    ]
    (row,) = _answer(_client(), _point("p", 97, 60), annotations=[_saved(*rows)])
    mask = _mask(row)
    assert mask[60, 97]
    assert not mask[60, 90:95].any()
