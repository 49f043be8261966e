"""Strokes of drafts, as the page saves them, and what becomes of them."""

import time

import numpy as np
import pytest

from backend.label_studio import brush_rle
from backend.label_studio.brush import brush_mask
from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.label_config import parse_label_config
from backend.label_studio.page import page_of
from backend.label_studio.projects import ProjectRules
from backend.label_studio.strokes import seed_strokes
from mfp_model.errors import DataError
from mfp_model.masks.rle import stroke_mask
from mfp_model.prompts import Stroke

_SIZE = {"height": 50, "width": 100}
_CONFIG = parse_label_config(
    """<View><Image name="image" value="$image"/>
    <BrushLabels name="seeds" toName="image"><Label value="Yes" seed="object"/>
      <Label value="No" seed="background"/><Label value="Note"/></BrushLabels>
    <BrushLabels name="mask" toName="image" segmenter="graph-cut" finder="mfp">
      <Label value="Object"/></BrushLabels></View>"""
)


def _touch(kind: str = "add", x: float = 10.0, to_x: float = 90.0) -> dict[str, object]:
    """As a draft of Label Studio 1.23.2 has it, without what is not needed."""
    points = [x, 50.0, to_x, 50.0]
    return {"type": kind, "relativePoints": points, "relativeStrokeWidth": 10.0}


def _row(label: str, **changes: object) -> dict[str, object]:
    return {
        "id": "r",
        "from_name": "seeds",
        "to_name": "image",
        "original_width": 100,
        "original_height": 50,
        "value": {"format": "rle", "touches": [_touch()], "brushlabels": [label]},
        **changes,
    }


def _task(*rows: object) -> dict[str, object]:
    return {"drafts": [{"updated_at": "2026-11-02", "result": list(rows)}]}


def _strokes(
    task: dict[str, object],
    *points: str,
    height: int = 50,
    width: int = 100,
    n_annotators: int = 1,
) -> tuple[Stroke, ...]:
    rules = ProjectRules(n_annotators=n_annotators, shows_predictions=True)
    there = page_of(task, frozenset(points), rules).annotation
    return seed_strokes(there, _CONFIG, "image", height=height, width=width)


def test_a_touch_is_a_line_with_round_ends() -> None:
    mask = brush_mask({"touches": [_touch()]}, **_SIZE)
    assert mask[25, 8:92].all()
    assert mask[20:30, 50].mean() >= 0.9
    assert not mask[25, :3].any()
    assert not mask[:18].any()
    assert not mask[20, 5]  # the end is round


def test_the_eraser_takes_away_from_the_rle_that_was_there() -> None:
    rle = brush_rle.encode(np.ones((50, 100), dtype=np.bool_))
    mask = brush_mask({"rle": rle, "touches": [_touch("eraser")]}, **_SIZE)
    assert not mask[25, 50]
    assert mask[5, 50]
    again = brush_mask({"rle": rle, "touches": [_touch("eraser"), _touch()]}, **_SIZE)
    assert again.all()


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"rle": "x"},
        {"touches": 3},
        {"touches": [3]},
        {"touches": [{"type": "add"}]},
        {"touches": [{**_touch(), "type": "spray"}]},
        {"touches": [{**_touch(), "relativePoints": [1, float("nan")]}]},
        {"touches": [{**_touch(), "relativePoints": [1, 2, 3]}]},
        {"touches": [{**_touch(), "relativeStrokeWidth": 1e9}]},
        {"touches": [_touch()], "maskDataURL": "data:..."},
    ],
)
def test_damaged_values_are_named(value: dict[str, object]) -> None:
    with pytest.raises(DataError, match="brush"):
        brush_mask(value, **_SIZE)


def test_strokes_have_their_pixels_and_a_middle_those_on_the_object_first() -> None:
    strokes = _strokes(_task(_row("No"), _row("Yes")))
    assert [stroke.is_positive for stroke in strokes] == [True, False]
    (first, _) = strokes
    painted = stroke_mask(first)
    assert painted[25, 50]
    assert painted[int(first.y), int(first.x)]


def test_only_the_newest_drafts_seed_strokes_count() -> None:
    task = _task(
        _row("Yes", from_name="mask"),
        _row("Yes", to_name="other"),
        _row("Note"),
        _row("Yes", value={"touches": [_touch(x=300, to_x=400)], "brushlabels": ["Yes"]}),
        "nonsense",
    )
    task["drafts"] += [{"updated_at": "2026-11-01", "result": [_row("Yes")]}, None]  # type: ignore[operator]
    assert _strokes(task) == ()
    assert _strokes({}) == ()
    assert _strokes({"drafts": [{"result": 3}]}) == ()


def test_strokes_are_those_of_the_page_that_asks_not_of_who_saved_last() -> None:
    mine = {"updated_at": "2026-11-01", "result": [_row("Yes"), {"id": "p1", "type": "keypoint"}]}
    theirs = {"updated_at": "2026-11-02", "result": [_row("No"), _row("Yes"), {"id": "p2"}]}
    task: dict[str, object] = {"drafts": [mine, theirs]}
    assert [stroke.is_positive for stroke in _strokes(task, "p1")] == [True]
    assert [stroke.is_positive for stroke in _strokes(task, "p2")] == [True, False]
    assert _strokes(task, "p3", n_annotators=2) == ()  # of several people it may be anybody's
    assert [stroke.is_positive for stroke in _strokes(task, "p3")] == [True, False]


def test_strokes_count_that_were_submitted_and_are_on_the_page_again() -> None:
    submitted = {"id": 5, "updated_at": "2026-11-01", "result": [_row("Yes")]}
    assert len(_strokes({"annotations": [submitted]})) == 1
    changed = {"annotation": 5, "updated_at": "2026-11-02", "result": []}
    assert _strokes({"annotations": [submitted], "drafts": [changed]}) == ()


def test_a_stroke_of_another_size_is_named() -> None:
    with pytest.raises(DataError, match="another size"):
        _strokes(_task(_row("Yes", original_width=99)))
    huge = _row("Yes", original_width=100_000, original_height=100_000)
    with pytest.raises(DataError, match="at most"):
        _strokes(_task(huge), height=100_000, width=100_000)
    with pytest.raises(DataError, match="brush"):
        _strokes(_task(_row("Yes", value=[])))


def test_more_strokes_than_can_be_read_are_refused_unread() -> None:
    size = {"original_width": 4000, "original_height": 3000}
    started = time.thread_time()
    with pytest.raises(DataError, match="2000 strokes on 4000x3000: .* at most"):
        _strokes(_task(*[_row("Yes", **size)] * 2000), height=3000, width=4000)
    wide = {**_touch(), "relativePoints": [0, 0, 100, 100] * 50, "relativeStrokeWidth": 900.0}
    value = {"format": "rle", "touches": [wide] * 50, "brushlabels": ["Yes"]}
    with pytest.raises(DataError, match="1 strokes on 4000x3000: .* at most"):
        _strokes(_task(_row("Yes", value=value, **size)), height=3000, width=4000)
    assert time.thread_time() - started < 2


def test_seed_controls_take_no_masks_and_have_no_categories() -> None:
    assert _CONFIG.control_for("image").name == "mask"
    assert _CONFIG.labels == ("Object",)
    assert _CONFIG.seeds == {"seeds": {"Yes": True, "No": False}}
    assert _CONFIG.control_for("image").segmenter == "graph-cut"
    assert _CONFIG.control_for("image").finder == "mfp"
    label = '<Label value="x" seed="maybe"/>'
    with pytest.raises(LabelConfigError, match="seed='maybe'"):
        parse_label_config(f'<View><BrushLabels name="a">{label}</BrushLabels></View>')
