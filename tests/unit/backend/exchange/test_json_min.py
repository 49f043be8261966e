"""Label Studio's JSON_MIN, which tells less than its JSON."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backend.label_studio.label_config import TaskConfigs
from tests.unit.backend.exchange.labeled import export, row

_MASK = np.zeros((30, 40), dtype=np.bool_)
_MASK[5:15, 10:30] = True


def test_objects_of_one_mask_stay_two_in_json_min_which_cannot_tell_the_ground_truth(
    tmp_path: Path,
) -> None:
    shape = {**row(_MASK)["value"], "original_width": 40, "original_height": 30}
    entries = [
        {
            "id": 1,
            "image": "/data/upload/1/1.png",
            "annotation_id": number,
            "updated_at": f"2026-01-0{number}",
            "mask": [shape, shape],
        }
        for number in (1, 2)
    ]
    content, summary = export(tmp_path, entries)
    assert len(content["annotations"]) == 2
    assert summary.messages == []
    named = "choices of the newest annotation: JSON_MIN cannot tell the ground truth"
    assert summary.left_out[named] == 1


def test_the_two_rows_of_generic_labels_stay_one_object_each_in_json_min(tmp_path: Path) -> None:
    config = TaskConfigs(
        """<View><Image name="image" value="$image"/><Labels name="label" toName="image">
        <Label value="Cat"/></Labels><Brush name="mask" toName="image"/></View>"""
    )
    size = {"original_width": 40, "original_height": 30}
    shape = {"format": "rle", "rle": row(_MASK)["value"]["rle"], **size}
    labelled = {**shape, "labels": ["Cat"]}
    entry = {"id": 1, "image": "/data/upload/1/1.png", "annotation_id": 1}
    entry |= {"mask": [shape, shape], "label": [labelled, labelled]}
    content, summary = export(tmp_path, [entry], config=config)
    assert (len(content["annotations"]), summary.messages) == (2, [])
