"""Golden arrays made with the published MFP implementation; numbers only."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mfp_model.networks.click_map import click_tensor
from mfp_model.networks.modulation import modulate

_GOLDEN = np.load(Path(__file__).parent / "modulation.npz")
_N_CASES = len(_GOLDEN.files) // 3


def _case(index: int) -> tuple[torch.Tensor, list[tuple[float, float, bool]], np.ndarray]:
    clicks = [
        (float(x), float(y), bool(positive)) for y, x, _, positive in _GOLDEN[f"clicks_{index}"]
    ]
    return torch.from_numpy(_GOLDEN[f"prob_{index}"]), clicks, _GOLDEN[f"modulated_{index}"]


@pytest.mark.parametrize("index", range(_N_CASES))
def test_equals_the_published_implementation(index: int) -> None:
    probability, clicks, expected = _case(index)
    modulated = modulate(probability[None], click_tensor([clicks]))[0].numpy()
    np.testing.assert_allclose(modulated, expected, atol=1e-6, rtol=0)


def test_cases_of_one_size_in_one_batch_equal_each_alone() -> None:
    cases = [_case(i) for i in range(_N_CASES) if _GOLDEN[f"prob_{i}"].shape == (96, 96)]
    assert len(cases) >= 3
    batch = torch.stack([probability for probability, _, _ in cases])
    modulated = modulate(batch, click_tensor([clicks for _, clicks, _ in cases])).numpy()
    for row, (_, _, expected) in zip(modulated, cases, strict=True):
        np.testing.assert_allclose(row, expected, atol=1e-6, rtol=0)
