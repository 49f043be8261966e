from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from backend.label_studio.regions import MaskRegion, regions_of
from backend.label_studio.shapes import rectangle_corners, region_mask, region_outline
from mfp_model.errors import DataError
from mfp_model.masks.polygons import mask_of, polygons_of


def _region(kind: str, size: tuple[int, int] = (400, 300), **value: object) -> MaskRegion:
    return MaskRegion(
        id="r",
        kind=kind,
        value=value,
        labels=(),
        from_name="c",
        to_name="image",
        width=size[0],
        height=size[1],
        origin="manual",
    )


def test_a_polygon_that_reaches_out_of_the_image_is_cut_not_squeezed() -> None:
    mask = region_mask(_region("polygon", points=[[-50, 0], [50, 50], [-50, 100]]))
    assert mask.sum() == pytest.approx(15_050, abs=60)  # half of 200 x 150, and its rim
    assert mask[150, 195]
    assert not mask[80, 50:].any()
    squeezed = region_mask(_region("polygon", points=[[0, 0], [50, 50], [0, 100]]))
    assert squeezed.sum() > 29_000


@pytest.mark.parametrize("far", [150, 10_000, 1e9])
def test_a_rectangle_around_the_image_covers_it_however_far_it_reaches(far: float) -> None:
    mask = region_mask(_region("rectangle", x=-far, y=-far, width=3 * far, height=3 * far))
    assert mask.all()


def test_a_turned_rectangle_and_an_ellipse_are_cut_too() -> None:
    turned = region_mask(_region("rectangle", x=0, y=-25, width=100, height=100, rotation=45))
    rows, columns = np.mgrid[0:300, 0:400] + 0.5
    right, down = columns, rows + 75
    along, across = (right + down) / 2**0.5, (down - right) / 2**0.5
    exact = (along >= 0) & (along <= 400) & (across >= 0) & (across <= 300)
    assert (turned ^ exact).mean() < 0.005
    ellipse = region_mask(_region("ellipse", x=0, y=0, radiusX=50, radiusY=50))
    exact = (columns / 200) ** 2 + (rows / 150) ** 2 < 1
    assert (ellipse ^ exact).mean() < 0.005


def test_a_shape_outside_of_the_image_has_no_pixel() -> None:
    region = _region("polygon", points=[[-50, 0], [-10, 50], [-50, 100]])
    assert not region_mask(region).any()
    outline = region_outline(region)
    assert outline is not None
    assert not len(outline)


@given(st.lists(st.tuples(st.integers(-90, 190), st.integers(-90, 190)), min_size=3, max_size=9))
@settings(max_examples=150, deadline=None)
def test_any_polygon_covers_what_it_covers_on_a_canvas_that_is_large_enough(
    percents: list[tuple[int, int]],
) -> None:
    region = _region("polygon", (100, 80), points=[list(point) for point in percents])
    corners = np.array(percents, dtype=float) / 100 * [100, 80] + [100, 80]
    canvas = coco_mask.decode(coco_mask.frPyObjects([corners.ravel().tolist()], 240, 300))[..., 0]
    expected = canvas[80:160, 100:200].astype(np.uint8)
    rim = cv2.morphologyEx(expected, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    wrong = region_mask(region) ^ expected.astype(bool)
    lines = np.zeros((240, 300), np.uint8)
    cv2.polylines(lines, [np.round(corners).astype(np.int32)], True, 1, 3)
    near = rim.astype(bool) | lines[80:160, 100:200].astype(bool)
    assert not (wrong & ~near).any()


def test_a_polygon_comes_back_from_percentages_with_the_same_pixels() -> None:
    rows, columns = np.mgrid[0:119, 0:157]
    mask = np.sin(columns / 7) + np.sin(rows / 5) > 0.9
    size = (157, 119)
    for polygon in polygons_of(mask, max_error_px=1):
        percents = np.round(polygon * (100 / np.array(size)), 5)
        back = region_mask(_region("polygon", size, points=percents.tolist()))
        assert (back == mask_of([polygon], height=119, width=157)).all()


def test_what_is_no_number_is_damaged() -> None:
    for points in ([[0, float("nan")], [1, 1], [2, 2]], [[10**400, 1]] * 3, [[0, 1]], "x"):
        with pytest.raises(DataError, match="polygon: expected finite"):
            region_mask(_region("polygon", points=points))
    far = 1e308  # a float until it is multiplied
    with pytest.raises(DataError, match="polygon: expected finite"):
        region_mask(_region("polygon", points=[[-far, 0], [far, 1], [0, far]]))
    with pytest.raises(DataError, match="rectangle: expected finite"):
        rectangle_corners(_region("rectangle", x=far, y=0, width=far, height=1, rotation=1))
    with pytest.raises(DataError, match="brush format='png': expected rle"):
        region_mask(_region("brush", format="png", rle=[]))


def test_more_corners_than_anyone_draws_are_refused_however_short_the_outline() -> None:
    with pytest.raises(DataError, match="200000 corners"):
        region_outline(_region("polygon", points=[[50, 50]] * 200_000))


@pytest.mark.parametrize("shape", [{"format": "rle", "rle": [0]}, {"points": [[0, 0]] * 3}])
def test_what_is_said_of_a_region_is_neither_a_mask_nor_damage(shape: dict[str, object]) -> None:
    size = {"original_width": 40, "original_height": 30, "to_name": "image", "id": "a"}
    kind = "brushlabels" if "rle" in shape else "polygonlabels"
    said: dict[str, object] = {"choices": ["bad"], "rating": 2, "number": 4, "textarea": ["x"]}
    rows = [{"type": kind, "from_name": "m", "value": {**shape, kind: ["Cat"]}, **size}]
    rows += [
        {"type": name, "from_name": name, "value": {**shape, name: value}, **size}
        for name, value in said.items()
    ]
    left_out: Counter[str] = Counter()
    (region,) = regions_of(rows, left_out)
    assert isinstance(region, MaskRegion)
    assert +left_out == {f"{name} rows": 1 for name in said}


@pytest.mark.parametrize("unnamed", [{"id": None}, {"id": ""}, {}])
def test_shapes_without_an_id_are_a_region_each_as_on_the_page(unnamed: dict[str, None]) -> None:
    size = {"original_width": 40, "original_height": 30, "to_name": "image", "from_name": "m"}
    rows = [
        {"type": "polygonlabels", "value": {"points": [[0, 0]] * n}, **size, **unnamed}
        for n in (3, 4)
    ]
    assert all(isinstance(region, MaskRegion) for region in regions_of(rows, Counter()))
    assert len(list(regions_of([*rows, {**rows[0], "id": "1"}], Counter()))) == 3


def test_points_beside_a_selected_mask_and_relations_are_neither_masks_nor_damage() -> None:
    size = {"original_width": 40, "original_height": 30, "to_name": "image", "from_name": "m"}
    place = {"x": 10, "y": 20, "width": 0.5}
    result = [
        {"id": "a", "type": "brushlabels", "value": {**place, "brushlabels": ["Cat"]}, **size},
        {"id": "b", "type": "polygonlabels", "value": {**place, "polygonlabels": ["Cat"]}, **size},
        {"id": "c", "type": "brush", "value": place, **size},
        {"from_id": "a", "to_id": "b", "type": "relation", "direction": "right"},
    ]
    left_out: Counter[str] = Counter()
    assert list(regions_of(result, left_out)) == []
    assert left_out == {
        "points in brushlabels rows": 1,
        "points in polygonlabels rows": 1,
        "points in brush rows": 1,
        "relation rows": 1,
    }
    (damaged,) = regions_of(
        [{"id": "a", "type": "brushlabels", "value": {"format": "rle"}, **size}], left_out
    )
    assert isinstance(damaged, MaskRegion)  # its missing counts are told where it is decoded
