"""COCO segmentations: the same masks as COCO's own tools, and nothing that is damaged."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from mfp_model.errors import DataError
from mfp_model.masks.rle import (
    check_segmentation,
    decode_segmentation,
    encode_mask,
    segmentation_area,
)

_SIZE = {"height": 60, "width": 80}
_SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]


def _plain(mask: NDArray[np.bool_]) -> dict[str, Any]:
    flat = np.concatenate([[False], mask.T.ravel(), [not mask[-1, -1]]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return {"size": list(mask.shape), "counts": np.diff(edges, prepend=0).tolist()}


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_masks_come_back_from_either_rle_as_with_cocos_tools(mask: NDArray[np.bool_]) -> None:
    height, width = mask.shape
    for rle in (encode_mask(mask), _plain(mask)):
        np.testing.assert_array_equal(decode_segmentation(rle, height=height, width=width), mask)
        assert segmentation_area(rle, height=height, width=width) == mask.sum()
        check_segmentation(rle, height=height, width=width)
    np.testing.assert_array_equal(coco_mask.decode(encode_mask(mask)), mask)


@given(st.lists(st.tuples(st.floats(-80, 160), st.floats(-60, 120)), min_size=3, max_size=12))
def test_polygons_are_filled_as_by_cocos_tools_and_cut_at_the_edge(
    corners: list[tuple[float, float]],
) -> None:
    polygon = [value for corner in corners for value in corner]
    mask = decode_segmentation([polygon], **_SIZE)
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([polygon], 60, 80)))
    np.testing.assert_array_equal(mask, expected)
    assert segmentation_area([polygon], **_SIZE) == mask.sum()


def test_what_reaches_out_of_the_image_is_cut_at_its_edge() -> None:
    outside = [-50, 10, 30, 10, 30, 30, -50, 30]
    assert segmentation_area([outside], **_SIZE) == 30 * 20


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "expected polygons or COCO RLE"),
        ("abc", "expected polygons or COCO RLE"),
        (7, "expected polygons or COCO RLE"),
        ({"counts": 3}, "expected polygons or COCO RLE"),
        ({}, "expected polygons or COCO RLE"),
        ([], "no polygon"),
        ([[]], "polygon 1: 0 numbers"),
        ([_SQUARE, [1, 2, 3, 4]], "polygon 2: 4 numbers"),
        ([_SQUARE[:7]], "polygon 1: 7 numbers"),
        ([3, 4], "polygon 1: 3, expected a list of numbers"),
        ([["1", *_SQUARE[1:]]], "expected a list of numbers"),
        ([[None, *_SQUARE[1:]]], "expected a list of numbers"),
        ([[math.nan, *_SQUARE[1:]]], "expected finite numbers in -80..160"),
        ([[*_SQUARE[:7], math.nan]], "expected finite numbers in -80..140"),
        ([[math.inf, *_SQUARE[1:]]], "expected finite"),
        ([[-math.inf, *_SQUARE[1:]]], "expected finite"),
        ([[3e8, *_SQUARE[1:]]], "x from 10 to 300000000"),
        ([[10**400, *_SQUARE[1:]]], "polygon 1"),
        ({"size": [60, 80], "counts": []}, "0 pixels in all, expected 4800"),
        ({"size": [60, 80], "counts": [60, 40]}, "100 pixels in all, expected 4800"),
        ({"size": [60, 80], "counts": [5000, -200]}, "-200 among them"),
        ({"size": [60, 80], "counts": [10**30]}, "whole numbers up to"),
        ({"size": [60, 80], "counts": [4800.0]}, "whole numbers"),
        ({"size": [80, 60], "counts": [4800]}, r"segmentation of \[80, 60\]"),
        ({"size": "60", "counts": [4800]}, "segmentation of '60'"),
        ({"size": [60, 80], "counts": ""}, "COCO's letters"),
        ({"size": [60, 80], "counts": "~~~"}, "COCO's letters"),
        ({"size": [60, 80], "counts": "ü"}, "COCO's letters"),
        ({"size": [60, 80], "counts": "\ud800"}, "COCO's letters"),
        ({"size": [60, 80], "counts": "0o"}, "COCO's letters"),
        ({"size": [60, 80], "counts": "0oooooooooo0"}, "11 letters"),
        ({"size": [60, 80], "counts": encode_mask(np.ones((9, 9), bool))["counts"]}, "81 pixels"),
    ],
)
def test_what_is_damaged_is_named(segmentation: object, message: str) -> None:
    for use in (check_segmentation, decode_segmentation, segmentation_area):
        with pytest.raises(DataError, match=message):
            use(segmentation, **_SIZE)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=9)
        | st.fixed_dictionaries({"counts": inner, "size": inner | st.just([6, 8])})
    ),
    max_leaves=20,
)


@given(_JSON | st.lists(st.lists(st.floats() | st.integers(-99, 99), max_size=9), max_size=3))
def test_any_json_is_a_mask_of_the_size_or_a_named_damage(segmentation: object) -> None:
    try:
        check_segmentation(segmentation, height=6, width=8)
    except DataError:
        return
    assert decode_segmentation(segmentation, height=6, width=8).shape == (6, 8)


@given(st.binary(max_size=60))
def test_any_compressed_counts_are_a_mask_of_the_size_or_a_named_damage(text: bytes) -> None:
    try:
        mask = decode_segmentation({"counts": text}, height=6, width=8)
    except DataError:
        return
    np.testing.assert_array_equal(coco_mask.decode({"size": [6, 8], "counts": text}), mask)


def test_a_polygon_of_many_corners_is_measured_along_its_outline() -> None:
    turns = np.linspace(0, 2 * np.pi, 5000)
    circle = 8000 + 500 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    check_segmentation([circle.ravel().tolist()], height=9000, width=9000)


def test_no_shape_takes_memory_without_bounds() -> None:
    tracemalloc.start()
    zigzag = [value for _ in range(50_000) for value in (0, 0, 9000, 9000)]
    with pytest.raises(DataError, match="outline longer than"):
        decode_segmentation([zigzag], height=9000, width=9000)
    with pytest.raises(DataError, match="outline longer than"):
        decode_segmentation([zigzag[:400]] * 200, height=9000, width=9000)
    with pytest.raises(DataError, match="expected 1..200000000"):
        decode_segmentation({"counts": [10**12]}, height=10**6, width=10**6)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
