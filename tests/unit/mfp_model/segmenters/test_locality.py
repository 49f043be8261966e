import numpy as np
import pytest
from numpy.typing import NDArray

from mfp_model.segmenters.locality import kept_far


def _map(*columns: int) -> NDArray[np.float32]:
    values = np.full((100, 100), 0.2, dtype=np.float32)
    values[:, list(columns)] = 0.8
    return values


def test_a_positive_click_takes_nothing_away_far_from_where_it_lies() -> None:
    values = kept_far(_map(), _map(10, 90), (12.5, 50.5, True))
    assert values[50, 90] == np.float32(0.8)
    assert values[50, 10] == np.float32(0.2)


def test_a_negative_click_adds_nothing_far_from_where_it_lies() -> None:
    values = kept_far(_map(10, 90), _map(), (12.5, 50.5, False))
    assert values[50, 90] == np.float32(0.2)
    assert values[50, 10] == np.float32(0.8)


@pytest.mark.parametrize("is_positive", [True, False])
def test_changes_of_the_clicks_sign_count_everywhere(is_positive: bool) -> None:
    before, after = (_map(), _map(90)) if is_positive else (_map(90), _map())
    np.testing.assert_array_equal(kept_far(after, before, (12.5, 50.5, is_positive)), after)
