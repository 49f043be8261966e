"""The rows of masks, whatever made them."""

import numpy as np
import pytest

from backend.label_studio.brush_rle import decode
from backend.label_studio.controls import MaskControl
from backend.label_studio.label_config import parse_label_config
from backend.label_studio.rows import RowFields, mask_rows
from mfp_model.masks.polygons import polygons_of
from mfp_model.masks.runs import MaskRuns

_OWN = """<View><Image name="image" value="$image"/>
<{0}Labels name="mask" toName="image"><Label value="Cat"/></{0}Labels></View>"""
_GENERIC = """<View><Image name="image" value="$image"/>
<Labels name="labels" toName="image"><Label value="Cat"/></Labels>
<{0} name="mask" toName="image"/></View>"""


def _control(config: str, kind: str) -> MaskControl:
    (control,) = parse_label_config(config.format(kind)).controls
    return control


def _mask() -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    mask = np.zeros((30, 40), dtype=np.bool_)
    mask[5:20, 4:10] = True
    mask[5:8, 20:25] = True
    return mask


def test_a_region_says_its_size_and_that_nothing_is_turned() -> None:
    fields = RowFields(
        control=_control(_OWN, "Brush"), labels=("Cat",), score=0.5, origin="prediction"
    )
    (row,) = mask_rows(MaskRuns.of(_mask()), fields, max_error_px=1)
    assert (row["original_width"], row["original_height"], row["image_rotation"]) == (40, 30, 0)
    assert (row["from_name"], row["to_name"], row["type"]) == ("mask", "image", "brushlabels")
    assert (row["score"], row["origin"]) == (0.5, "prediction")
    assert row["value"]["brushlabels"] == ["Cat"]
    assert ((decode(row["value"]["rle"], height=30, width=40) == 255) == _mask()).all()
    assert "meta" not in row


def test_what_is_not_known_is_not_written() -> None:
    control = _control(_OWN, "Brush")
    fields = RowFields(control=control, labels=())
    (row,) = mask_rows(MaskRuns.of(_mask()), fields, max_error_px=1)
    assert not {"origin", "score", "meta"} & set(row)
    assert row["value"]["brushlabels"] == []


def test_a_generic_control_has_a_second_row_of_the_same_id_and_shape() -> None:
    fields = RowFields(
        control=_control(_GENERIC, "Brush"), labels=("Cat",), region_id="r1", order=2
    )
    mask, labels = mask_rows(MaskRuns.of(_mask()), fields, max_error_px=1)
    assert (mask["id"], labels["id"]) == ("r1", "r1")
    assert (mask["type"], labels["type"]) == ("brush", "labels")
    assert (mask["from_name"], labels["from_name"]) == ("mask", "labels")
    assert mask["value"] == labels["value"]
    assert mask["meta"] == {"text": ["hidden: seen after 2 removals"]}


def test_the_first_polygon_takes_the_edited_regions_place_and_the_others_are_new() -> None:
    fields = RowFields(control=_control(_OWN, "Polygon"), labels=("Cat",), region_id="r1")
    polygons = polygons_of(_mask(), max_error_px=0.5)
    first, second = mask_rows(MaskRuns.of(_mask()), fields, max_error_px=0.5)
    assert first["id"] == "r1"
    assert second["id"] != "r1"
    assert first["type"] == "polygonlabels"
    assert np.allclose(np.array(first["value"]["points"]) / 100 * [40, 30], polygons[0])


@pytest.mark.parametrize("config", [_OWN, _GENERIC])
def test_a_mask_without_a_pixel_has_no_row(config: str) -> None:
    nothing = MaskRuns.of(np.zeros((30, 40), dtype=np.bool_))
    for kind in ("Brush", "Polygon"):
        fields = RowFields(control=_control(config, kind), labels=(), region_id="r1")
        assert mask_rows(nothing, fields, max_error_px=1) == []
