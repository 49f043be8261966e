import tracemalloc

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from mfp_model.masks.runs import MaskRuns

_MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12))


def test_the_docstring_shows_true_runs() -> None:
    runs = MaskRuns.of(np.array([[0, 1, 1, 0], [1, 0, 0, 1]], bool))
    assert runs.rows.tolist() == [0, 1, 1]
    assert runs.starts.tolist() == [1, 0, 3]
    assert runs.stops.tolist() == [3, 1, 4]
    assert runs.lengths.tolist() == [2, 1, 1]
    assert runs.flat_lengths().tolist() == [1, 2, 1, 1, 2, 1, 0]


@given(_MASKS)
def test_runs_and_pixels_tell_the_same(mask: NDArray[np.bool_]) -> None:
    runs = MaskRuns.of(mask)
    np.testing.assert_array_equal(runs.mask(), mask)
    np.testing.assert_array_equal(runs.inverse().mask(), ~mask)
    assert runs.lengths.sum() == mask.sum()
    for y, x in np.ndindex(mask.shape):
        assert (runs.index_at(x=x, y=y) is not None) == mask[y, x]


def test_reading_a_small_object_of_a_large_photo_takes_no_memory_of_its_size() -> None:
    mask = np.zeros((3000, 4000), bool)
    mask[1000:1100, 500:600] = True
    tracemalloc.start()
    runs = MaskRuns.of(mask)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert runs.lengths.sum() == mask.sum()
    assert peak < mask.size / 4


@given(_MASKS, st.data())
def test_a_rectangle_is_taken_out_and_filled_again(
    mask: NDArray[np.bool_], data: st.DataObject
) -> None:
    height, width = mask.shape
    left, top = (data.draw(st.integers(0, n - 1)) for n in (width, height))
    right, bottom = data.draw(st.integers(left, width)), data.draw(st.integers(top, height))
    runs = MaskRuns.of(mask)
    emptied = mask.copy()
    emptied[top:bottom, left:right] = False
    rest = runs.without(left=left, top=top, right=right, bottom=bottom)
    np.testing.assert_array_equal(rest.mask(), emptied)
    again = rest.union(MaskRuns.of(mask & ~emptied))
    for name in ("rows", "starts", "stops"):
        np.testing.assert_array_equal(getattr(again, name), getattr(runs, name))


@given(_MASKS)
def test_parts_are_those_that_opencv_finds(mask: NDArray[np.bool_]) -> None:
    runs = MaskRuns.of(mask)
    parts = runs.parts()
    n_labels, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    assert len(set(parts.tolist())) == n_labels - 1
    places = labels[runs.rows, runs.starts]
    assert len(set(zip(parts.tolist(), places.tolist(), strict=True))) == n_labels - 1


@given(arrays(bool, st.tuples(st.just(3), st.integers(1, 9), st.integers(1, 9))))
def test_sets_of_runs_are_sets_of_pixels(masks: NDArray[np.bool_]) -> None:
    first, second, third = masks
    runs = [MaskRuns.of(mask) for mask in masks]
    expected = {
        runs[0].union(*runs[1:]): first | second | third,
        runs[0].intersection(runs[1]): first & second,
        runs[0].minus(runs[1]): first & ~second,
    }
    for made, mask in expected.items():
        np.testing.assert_array_equal(made.mask(), mask)
        for name in ("rows", "starts", "stops"):
            np.testing.assert_array_equal(getattr(made, name), getattr(MaskRuns.of(mask), name))


@given(_MASKS, st.data())
def test_a_rectangle_can_be_cut_out(mask: NDArray[np.bool_], data: st.DataObject) -> None:
    height, width = mask.shape
    left, top = (data.draw(st.integers(0, n - 1)) for n in (width, height))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    part = MaskRuns.of(mask).cropped(left=left, top=top, right=right, bottom=bottom)
    np.testing.assert_array_equal(part.mask(), mask[top:bottom, left:right])


@given(_MASKS)
def test_flat_lengths_and_bounds_tell_the_mask(mask: NDArray[np.bool_]) -> None:
    height, width = mask.shape
    runs = MaskRuns.of(mask)
    again = MaskRuns.of_flat(runs.flat_lengths(), height=height, width=width)
    np.testing.assert_array_equal(again.mask(), mask)
    if not mask.any():
        assert runs.bounds() is None
        return
    rows, columns = np.nonzero(mask)
    edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert runs.bounds() == edges
