import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from mfp_model.masks import polygons
from mfp_model.masks.polygons import mask_of, polygon_iou, polygons_of
from mfp_model.masks.runs import MaskRuns

_MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def _blob(seed: int, height: int = 120, width: int = 160) -> NDArray[np.bool_]:
    noise = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 6) > 0.5, dtype=np.bool_)


def _distance_to(polygon: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """From each point to the nearest of the polygon's edges."""
    start, end = polygon, np.roll(polygon, -1, axis=0)
    along = end - start
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    offset = points[:, None] - start[None]
    share = np.clip((offset * along).sum(axis=2) / length, 0, 1)
    gap = offset - share[..., None] * along
    return np.sqrt((gap**2).sum(axis=2)).min(axis=1)


def test_a_pixel_becomes_a_diamond() -> None:
    mask = np.zeros((1, 3), bool)
    mask[0, 1] = True
    (polygon,) = polygons_of(mask, max_error_px=0)
    assert sorted(map(tuple, polygon)) == [(1, 0.5), (1.5, 0), (1.5, 1), (2, 0.5)]


@given(mask=_MASKS)
@settings(deadline=None, max_examples=200)
def test_without_simplification_polygons_are_the_mask(mask: NDArray[np.bool_]) -> None:
    polygons = polygons_of(mask, max_error_px=0)
    np.testing.assert_array_equal(
        mask_of(polygons, height=mask.shape[0], width=mask.shape[1]), mask
    )
    for polygon in polygons:
        assert (polygon >= 0).all()
        assert (polygon <= mask.shape[::-1]).all()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("max_error_px", [0.5, 1.0, 3.0])
def test_simplification_moves_an_outline_no_further_than_allowed(
    seed: int, max_error_px: float
) -> None:
    mask = _blob(seed)
    exact, simple = polygons_of(mask, max_error_px=0), polygons_of(mask, max_error_px=max_error_px)
    assert len(exact) == len(simple)
    assert sum(map(len, simple)) < sum(map(len, exact)) / 2
    for polygon in exact:
        gap = np.min([_distance_to(candidate, polygon) for candidate in simple], axis=0)
        assert gap.max() <= max_error_px + 1e-3


def test_a_hole_stays_empty_and_parts_stay_apart() -> None:
    mask = np.zeros((60, 100), bool)
    mask[5:55, 5:55] = True
    mask[20:40, 20:40] = False
    mask[10:14, 10:14] = False
    mask[30:50, 70:90] = True
    large, small = polygons_of(mask, max_error_px=1)
    assert polygon_iou([large, small], mask) > 0.98
    drawn = mask_of([large], height=60, width=100)
    assert not drawn[25:35, 25:35].any()
    assert not drawn[:, 60:].any()
    assert len(small) <= 8


def test_pixels_that_touch_at_a_corner_are_one_part_as_where_specks_are_removed() -> None:
    mask = np.zeros((40, 60), bool)
    mask[5:30, 5:40] = True
    mask[30, 40] = mask[31, 41] = True
    assert np.unique(MaskRuns.of(mask).parts()).size == 1
    (exact,) = polygons_of(mask, max_error_px=0)
    np.testing.assert_array_equal(mask_of([exact], height=40, width=60), mask)
    (simple,) = polygons_of(mask, max_error_px=1)
    assert polygon_iou([simple], mask) > 0.98


def test_real_outlines_lose_little() -> None:
    for seed in range(4):
        mask = _blob(seed)
        assert polygon_iou(polygons_of(mask, max_error_px=1), mask) > 0.97


def test_nothing_has_no_polygons() -> None:
    nothing = np.zeros((4, 5), bool)
    assert polygons_of(nothing, max_error_px=1) == []
    assert polygon_iou([], nothing) == 1.0
    assert not mask_of([], height=4, width=5).any()


def _length(outline: polygons.Polygon) -> float:
    return float(np.hypot(*np.diff(outline, axis=0, append=outline[:1]).T).sum())


@pytest.mark.parametrize("seed", range(5))
def test_a_ring_is_joined_to_the_nearest_point_of_those_before_it(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rings = [generator.random((n, 2)) * 100 for n in generator.integers(1, 6, 30)]
    expected, before = _length(rings[0]), rings[0]
    for ring in sorted(rings[1:], key=lambda ring: float(ring[:, 0].min())):
        expected += _length(ring) + 2 * float(cdist(before, ring).min())
        before = np.concatenate([before, ring])
    outline = polygons.joined(rings)
    assert len(outline) == len(before) + 2 * 29
    assert _length(outline) == pytest.approx(expected)


def test_the_holes_of_a_net_are_joined_by_what_lies_near_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    n_measured = 0

    class CountingTree(cKDTree):
        def query(self, points: NDArray[np.float64]) -> object:
            nonlocal n_measured
            n_measured += len(points)
            return super().query(points)

    net = np.ones((400, 400), dtype=np.bool_)
    net[2::10, 3::10] = False
    expected = polygons_of(net, max_error_px=1.0)
    monkeypatch.setattr(polygons, "cKDTree", CountingTree)
    (outline,) = polygons_of(net, max_error_px=1.0)
    np.testing.assert_array_equal(outline, expected[0])
    assert n_measured < 10 * len(outline)
