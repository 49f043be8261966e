import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mfp_model.errors import ConfigError
from mfp_model.networks.click_map import click_tensor
from mfp_model.networks.modulation import ModulationConfig, modulate

_CLICK = st.tuples(st.floats(-4, 36), st.floats(-4, 28), st.booleans())
_MAPS = hnp.arrays(
    np.float32,
    (24, 32),
    elements=st.sampled_from([0.0, 1e-30, 0.01, 0.25, 0.5, 0.99, 1.0]) | st.floats(0, 1, width=32),
)


@settings(max_examples=150, deadline=None)
@given(_MAPS, st.lists(_CLICK, max_size=10))
def test_values_are_finite_probabilities_for_any_map_and_clicks(
    probability: np.ndarray, clicks: list[tuple[float, float, bool]]
) -> None:
    modulated = modulate(torch.from_numpy(probability)[None], click_tensor([clicks]))
    assert modulated.dtype == torch.float32
    assert bool(torch.isfinite(modulated).all())
    assert float(modulated.min()) >= 0
    assert float(modulated.max()) <= 1


@settings(max_examples=50, deadline=None)
@given(_MAPS, st.lists(st.lists(_CLICK, max_size=9), min_size=2, max_size=4))
def test_a_sample_in_a_batch_equals_the_sample_alone(
    probability: np.ndarray, sequences: list[list[tuple[float, float, bool]]]
) -> None:
    sample = torch.from_numpy(probability)[None]
    batch = modulate(sample.repeat(len(sequences), 1, 1), click_tensor(sequences))
    for row, clicks in zip(batch, sequences, strict=True):
        torch.testing.assert_close(
            row, modulate(sample, click_tensor([clicks]))[0], atol=1e-6, rtol=0
        )


_VARIANTS = [
    ModulationConfig(n_early_clicks=2),
    ModulationConfig(max_radius=15),
    ModulationConfig(distance="rgb"),
    ModulationConfig(curve="linear"),
    ModulationConfig(curve="bounded"),
]


@pytest.mark.parametrize("config", _VARIANTS, ids=str)
@settings(max_examples=40, deadline=None)
@given(probability=_MAPS, clicks=st.lists(_CLICK, min_size=1, max_size=9))
def test_every_variant_pushes_towards_the_click_and_stays_a_probability(
    config: ModulationConfig,
    probability: np.ndarray,
    clicks: list[tuple[float, float, bool]],
) -> None:
    before = torch.from_numpy(probability)[None]
    image = torch.rand(1, 3, *probability.shape, generator=torch.Generator().manual_seed(0))
    modulated = modulate(before, click_tensor([clicks]), config, image=image)
    assert bool(torch.isfinite(modulated).all())
    assert 0 <= float(modulated.min())
    assert float(modulated.max()) <= 1
    x, y, is_positive = clicks[-1]
    at_click = probability[
        min(max(int(y), 0), probability.shape[0] - 1), min(max(int(x), 0), probability.shape[1] - 1)
    ]
    if at_click != (0.0 if is_positive else 1.0):  # else a cone replaces everything
        change = (modulated - before) * (1 if is_positive else -1)
        assert float(change.min()) >= -1e-6


@pytest.mark.parametrize(("curve", "other"), [("gamma", 0.98), ("linear", 0.2), ("bounded", 0.75)])
def test_curves_move_the_clicks_value_to_its_target(curve: str, other: float) -> None:
    probability = torch.full((1, 60, 60), 0.3)
    probability[0, 30:] = 0.05
    clicks = click_tensor([[(30, 15, True)]])
    modulated = modulate(probability, clicks, ModulationConfig(curve=curve, n_early_clicks=0))
    assert modulated[0, 16, 31] == pytest.approx(0.99, abs=0.02)
    assert 0.05 < modulated[0, 31, 30] < other


def test_colours_decide_with_the_rgb_distance() -> None:
    probability = torch.full((1, 40, 40), 0.3)
    image = torch.zeros(1, 3, 40, 40)
    image[:, 0, :, 20:] = 1  # red on the right
    clicks, config = click_tensor([[(5, 20, True)]]), ModulationConfig(distance="rgb")
    modulated = modulate(probability, clicks, config, image=image)[0]
    assert modulated[20, 10] == pytest.approx(0.99, abs=1e-3)
    assert modulated[20, 30] == pytest.approx(0.3, abs=1e-6)
    with pytest.raises(ConfigError, match="expected an image"):
        modulate(probability, clicks, config)


def test_without_clicks_nothing_changes() -> None:
    probability = torch.rand(2, 9, 7)
    assert torch.equal(modulate(probability, click_tensor([[], []])), probability)


@pytest.mark.parametrize("is_positive", [True, False])
def test_the_clicked_pixel_takes_the_sign(is_positive: bool) -> None:
    modulated = modulate(torch.full((1, 50, 50), 0.5), click_tensor([[(20, 30, is_positive)]]))
    assert modulated[0, 30, 20] == float(is_positive)


def test_equal_probabilities_get_the_full_gamma_and_others_none() -> None:
    # A positive click inside a binary map, where the published code divides zero by zero.
    probability = torch.zeros(1, 60, 60)
    probability[0, 10:50, 10:50] = 0.5
    modulated = modulate(probability, click_tensor([[(30, 30, True)]]))[0]
    assert modulated[20, 20] == pytest.approx(0.99, abs=1e-4)
    assert modulated[5, 5] == 0


def test_nothing_changes_outside_the_window() -> None:
    probability = torch.rand(1, 100, 100)
    modulated = modulate(probability, click_tensor([[(10, 10, False), (50, 10, True)]]))
    rows, columns = np.mgrid[0:100, 0:100]
    outside = torch.from_numpy((columns - 50) ** 2 + (rows - 10) ** 2 > 400)
    assert torch.equal(modulated[0][outside], probability[0][outside])


def test_constants_outside_their_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="max_radius"):
        ModulationConfig(max_radius=5)
    with pytest.raises(ConfigError, match="n_early_clicks"):
        ModulationConfig(n_early_clicks=-1)
    with pytest.raises(ConfigError, match="curve=.*: expected one of gamma, linear, bounded"):
        ModulationConfig(curve="f3")


def test_costs_little() -> None:
    """The aim is 3 ms of one core; the bound leaves room for a slow one."""
    probability = torch.rand(1, 448, 448)
    clicks = click_tensor([[(200.0, 200.0, True)]])
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = []
        for _ in range(15):
            started = time.thread_time()
            modulate(probability, clicks)
            times.append(time.thread_time() - started)
    finally:
        torch.set_num_threads(n_threads)
    assert min(times) < 0.006
