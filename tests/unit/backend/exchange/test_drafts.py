"""Drafts as the page saves them: what was painted and erased since stands there as lines."""

from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from backend.label_studio.label_config import TaskConfigs
from tests.unit.backend.exchange.labeled import export, row, task

_ALL = np.ones((30, 40), dtype=np.bool_)
_LINE = {"relativePoints": [25.0, 50.5, 75.0, 50.5], "relativeStrokeWidth": 10.0}


def _draft(*rows: dict[str, object]) -> dict[str, object]:
    made = {"id": 7, "user": "me", "annotation": None, "updated_at": "2026-02-01T00:00:00Z"}
    return {**made, "result": list(rows)}


def test_what_was_erased_in_a_draft_is_gone_and_what_was_painted_is_there(tmp_path: Path) -> None:
    erased, painted = row(_ALL), row(_ALL, "Dog", id="r2")
    erased["value"]["touches"] = [{**_LINE, "type": "eraser"}]
    del painted["value"]["rle"]
    painted["value"]["touches"] = [{**_LINE, "type": "add"}]

    content, summary = export(tmp_path, [task(1, drafts=[_draft(erased, painted)])])

    first, second = (
        coco_mask.decode(annotation["segmentation"]).astype(np.bool_)
        for annotation in content["annotations"]
    )
    assert summary.problems == 0
    assert (first == ~second).all()
    assert second[15, 12:28].all()
    assert 50 < second.sum() < 120


def test_a_draft_of_an_annotation_that_is_not_there_is_counted(tmp_path: Path) -> None:
    drafts = [{**_draft(row(_ALL)), "annotation": number} for number in (99, [99])]
    _, summary = export(tmp_path, [task(1, [row(_ALL)], drafts=drafts)])
    assert summary.annotations == 1
    assert summary.left_out == {"drafts of annotations that are not there": 2}


def test_seed_strokes_are_no_objects(tmp_path: Path) -> None:
    config = TaskConfigs(
        """<View><Image name="image" value="$image"/>
        <BrushLabels name="mask" toName="image"><Label value="Cat"/></BrushLabels>
        <BrushLabels name="seeds" toName="image"><Label value="Cat here" seed="object"/>
        </BrushLabels></View>"""
    )
    rows = [row(_ALL, from_name="mask"), row(_ALL, "Cat here", id="r2", from_name="seeds")]
    content, summary = export(tmp_path, [task(1, rows)], config=config)
    assert len(content["annotations"]) == 1
    assert summary.left_out == {"seed strokes": 1}
    assert summary.problems == 0


def _generic(value: dict[str, object], kind: str) -> list[dict[str, object]]:
    """A region's two rows beside a generic `<Labels>`, which repeat what is new of it."""
    shape = row(_ALL, from_name="shape", type=kind, value={"format": "rle", **value})
    label = {**shape, "from_name": "label", "type": "labels"}
    return [shape, {**label, "value": {"format": "rle", **value, "labels": ["Dog"]}}]


def test_what_was_painted_anew_in_a_draft_has_its_generic_label(tmp_path: Path) -> None:
    rows = _generic({"touches": [{**_LINE, "type": "add"}]}, "brush")
    content, summary = export(tmp_path, [task(1, drafts=[_draft(*rows)])])
    (annotation,) = content["annotations"]
    names = {category["id"]: category["name"] for category in content["categories"]}
    assert names[annotation["category_id"]] == "Dog"
    assert summary.problems == 0


def test_what_the_magic_wand_made_in_a_draft_is_named(tmp_path: Path) -> None:
    wand, label = _generic({"maskDataURL": "data:image/png;base64,AAAA"}, "magicwand")
    alone = {**wand, "id": "r2"}
    _, summary = export(tmp_path, [task(1, drafts=[_draft(wand, label, alone)])])
    assert summary.messages == [
        "task 1: draft 7: region r2: 'magicwand' masks are not read",
        "task 1: draft 7: region r1: brush with an embedded picture: not read; submit it once, so "
        "that it is saved as a mask",
    ]
