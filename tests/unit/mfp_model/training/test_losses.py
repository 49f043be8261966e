"""What the loss counts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mfp_model.networks.network import Outputs
from mfp_model.training.losses import normalised_focal_loss, sample_ious, total_loss
from tests.unit.mfp_model.training.short_runs import NO_CLICKS, config_of


def test_the_loss_ignores_what_is_not_valid_and_normalises_per_sample() -> None:
    logits = torch.tensor([[[8.0, -8.0], [0.0, 3.0]]], requires_grad=True)
    truth = torch.tensor([[[1, 0], [1, -1]]])
    loss = normalised_focal_loss(logits, truth)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0, 1, 1] == 0
    # All weight lies on the one hard pixel, whose cross-entropy is log 2.
    assert loss.item() == pytest.approx(0.5 * np.log(2), rel=0.01)


def test_auxiliary_logits_add_to_the_loss() -> None:
    logits, truth = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    config = config_of(Path("unread"))
    without, with_it = (
        total_loss(Outputs(logits=logits, auxiliary=others), truth, NO_CLICKS, config)
        for others in ((), (logits,))
    )
    assert (with_it - without).item() == pytest.approx(0.4 * np.log(2), rel=1e-5)


def test_a_click_that_is_not_obeyed_adds_to_the_loss() -> None:
    truth = torch.zeros(1, 8, 8, dtype=torch.int8)
    truth[:, 2:5, 2:5] = 1
    clicks = torch.tensor([[[3.5, 3.5, 1.0], [7.5, 7.5, -1.0], [0.0, 0.0, 0.0]]])
    config = config_of(Path("unread"), click_weight=1.0)
    plain = config_of(Path("unread"))
    for value, expected in ((-4.0, 4.0), (4.0, 0.0)):
        logits = torch.full((1, 8, 8), -4.0)
        logits[:, 3, 3] = value
        outputs = Outputs(logits=logits)
        losses = [total_loss(outputs, truth, clicks, c).item() for c in (config, plain)]
        assert losses[0] - losses[1] == pytest.approx(expected / 2, abs=0.05)


def test_the_estimated_iou_counts_what_lies_outside_the_crop() -> None:
    truth = torch.ones(1, 4, 4, dtype=torch.int8)
    logits = torch.full((1, 4, 4), 9.0)
    assert sample_ious(logits > 0, truth).item() == 1
    assert sample_ious(logits > 0, truth, torch.tensor([16.0])).item() == 0.5
    config = config_of(Path("unread"), iou_weight=1.0)
    sure, unsure = (
        total_loss(
            Outputs(logits=logits, iou_logits=torch.tensor([estimate])),
            truth,
            NO_CLICKS,
            config,
            torch.tensor([16.0]),
        )
        for estimate in (9.0, 0.0)
    )
    assert (sure - unsure).item() == pytest.approx(0.25, abs=0.01)
