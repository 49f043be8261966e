import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfp_model.frames.layered_map import LayeredMap
from mfp_model.frames.thresholding import runs_above
from mfp_model.frames.window import Window, whole
from mfp_model.masks.runs import MaskRuns

_ROUNDING = 1e-5


def _layered(height: int, width: int, size: int, n_layers: int, seed: int) -> LayeredMap:
    random = np.random.default_rng(seed)
    layered = LayeredMap(height=height, width=width)
    window = whole(height, width)
    for _ in range(n_layers):
        noise = random.random((size, size)).astype(np.float32)
        values = cv2.GaussianBlur(noise, (0, 0), random.uniform(0.3, size / 4))
        values = (values - values.min()) / max(float(np.ptp(values)), 1e-6)
        layered = layered.pasted(window, values.astype(np.float32))
        left, top = int(random.integers(width)), int(random.integers(height))
        right, bottom = random.integers(left, width) + 1, random.integers(top, height) + 1
        window = Window(left=left, top=top, right=int(right), bottom=int(bottom))
    return layered


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from([2, 8, 32]),
    st.integers(0, 4),
    st.integers(0, 10_000),
)
def test_runs_are_the_full_maps_pixels_above_the_threshold(
    height: int, width: int, size: int, n_layers: int, seed: int
) -> None:
    layered = _layered(height, width, size, n_layers, seed)
    full, runs = layered.full(), runs_above(layered, 0.5)
    differs = runs.mask() != (full > 0.5)
    assert np.abs(full[differs] - 0.5).max(initial=0) < _ROUNDING
    again = MaskRuns.of(runs.mask())
    for name in ("rows", "starts", "stops"):
        np.testing.assert_array_equal(getattr(runs, name), getattr(again, name))


@pytest.mark.parametrize("value", [0.0, 0.5, 0.75, 1.0])
def test_a_constant_map_is_all_or_nothing(value: float) -> None:
    constant = np.full((4, 4), value, np.float32)
    layered = LayeredMap(height=7, width=5).pasted(whole(7, 5), constant)
    assert runs_above(layered, 0.5).lengths.sum() == (35 if value > 0.5 else 0)
    assert layered.bounds_above(0.5) == (whole(7, 5) if value > 0.5 else None)
