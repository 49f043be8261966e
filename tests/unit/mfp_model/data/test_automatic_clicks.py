import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mfp_model.data.automatic_clicks import (
    deepest_next_clicks,
    depths,
    exact_distances,
    next_click,
    random_next_clicks,
)
from mfp_model.masks.depths import depth

_SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 24))


def test_the_deepest_point_of_the_larger_error_is_clicked() -> None:
    truth = np.zeros((40, 60), bool)
    truth[10:21, 20:31] = True
    click = next_click(truth, np.zeros_like(truth))
    assert click is not None
    assert (click.row, click.column, click.is_positive) == (15, 25, True)


def test_excess_gets_a_negative_click() -> None:
    mask = np.zeros((40, 60), bool)
    mask[:, 30:] = True
    click = next_click(np.zeros_like(mask), mask)
    assert click is not None
    assert not click.is_positive
    assert mask[click.row, click.column]


def test_no_error_left_is_no_click() -> None:
    truth = np.ones((5, 5), bool)
    assert next_click(truth, truth) is None


def test_ignored_and_clicked_pixels_are_not_clicked() -> None:
    truth = np.zeros((9, 9), bool)
    truth[2, 2] = truth[6, 6] = True
    valid, clicked = np.ones_like(truth), np.zeros_like(truth)
    valid[2, 2] = False
    click = next_click(truth, np.zeros_like(truth), valid=valid, clicked=clicked)
    assert click is not None
    assert (click.row, click.column) == (6, 6)
    clicked[6, 6] = True
    assert next_click(truth, np.zeros_like(truth), valid=valid, clicked=clicked) is None


@settings(max_examples=100, deadline=None)
@given(_SHAPES.flatmap(lambda shape: hnp.arrays(np.bool_, shape)))
def test_distances_by_tensor_operations_equal_opencvs(regions: np.ndarray) -> None:
    expected = np.stack([depth(region) for region in regions])
    np.testing.assert_allclose(exact_distances(torch.from_numpy(regions)), expected, rtol=1e-6)
    np.testing.assert_allclose(depths(torch.from_numpy(regions)), expected, rtol=1e-6)


def test_distances_in_several_chunks_equal_those_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    regions = torch.rand(2, 50, 40) > 0.02
    expected = exact_distances(regions)
    monkeypatch.setattr("mfp_model.data.automatic_clicks._MAX_ELEMENTS", 5000)
    assert torch.equal(exact_distances(regions), expected)


@settings(max_examples=60, deadline=None)
@given(_SHAPES.flatmap(lambda s: st.tuples(hnp.arrays(np.bool_, s), hnp.arrays(np.bool_, s))))
def test_a_batch_of_clicks_lands_as_deep_as_each_alone(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """As deep, not at the same pixel: OpenCV's roots differ in the last bit by where they lie."""
    truth, masks = pair
    clicks = deepest_next_clicks(torch.from_numpy(truth.astype(np.int8)), torch.from_numpy(masks))
    for (x, y, sign), wanted, mask in zip(clicks.tolist(), truth, masks, strict=True):
        click = next_click(wanted, mask)
        if click is None:
            assert sign == 0
        else:
            error = wanted & ~mask if sign > 0 else mask & ~wanted
            deepest = max(depth(wanted & ~mask).max(), depth(mask & ~wanted).max())
            assert depth(error)[int(y), int(x)] >= deepest * (1 - 1e-6)


def test_training_clicks_lie_deep_inside_and_everywhere_there() -> None:
    truth = torch.zeros(400, 50, 50, dtype=torch.int8)
    truth[:, 10:40, 10:40] = 1
    generator = torch.Generator().manual_seed(0)
    x, y, sign = random_next_clicks(truth, truth > 1, generator).unbind(dim=1)
    assert bool((sign == 1).all())
    for position in (x, y):
        assert position.min() >= 17
        assert position.max() <= 33
        assert len(position.unique()) == 16
    central = torch.full((400,), 0.8)
    x, *_ = random_next_clicks(truth, truth > 1, generator, deep_share=central).unbind(dim=1)
    assert (x - 25).abs().max() <= 3


def test_training_clicks_leave_what_is_ignored_and_say_where_nothing_is_wrong() -> None:
    truth = torch.full((3, 20, 20), -1, dtype=torch.int8)
    truth[0, 5:15, 5:15] = 1  # all of it segmented, and much that is ignored
    truth[1, 2:6, 2:6] = 0  # excess
    masks = torch.ones(3, 20, 20, dtype=torch.bool)
    clicks = random_next_clicks(truth, masks, torch.Generator().manual_seed(0))
    assert clicks[:, 2].tolist() == [0, -1, 0]
    assert 2 <= clicks[1, 0] < 6
