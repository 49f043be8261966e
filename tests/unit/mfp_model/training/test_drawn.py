"""Training on clicks that the truth alone decides, its losses, and the discriminator."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mfp_model.checkpoints.checkpoint import build_network, load_checkpoint
from mfp_model.errors import ConfigError
from mfp_model.names import STRATEGIES, UNET
from mfp_model.networks.network import NetworkConfig, Outputs
from mfp_model.training.adversary import Adversary
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.drawn import DrawnRounds, drawn_clicks
from mfp_model.training.job import TrainingJob
from mfp_model.training.losses import cross_entropy, dice_loss, nearness_to_edge, total_loss
from mfp_model.training.samples import Sample
from mfp_model.training.train import train
from tests.unit.mfp_model.coco_folder import make_coco_folder

_PHASE = Phase(height=32, width=32, batch=2)
_CONFIG = TrainingConfig(
    folders=((Path("unread"), 1.0),), phases=(_PHASE,), n_samples=4, scheme="drawn"
)


def _truth() -> Tensor:
    truth = torch.zeros(3, 40, 50, dtype=torch.int8)
    truth[:2, 10:30, 15:35] = 1
    truth[1, 0:5] = -1
    return truth  # the third has no object


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_positive_clicks_lie_on_the_object_and_negative_ones_do_not(strategy: str) -> None:
    truth = _truth()
    for seed in range(20):
        clicks = drawn_clicks(truth, strategy, torch.Generator().manual_seed(seed))
        for sample in range(2):
            used = clicks[sample][clicks[sample, :, 2] != 0]
            assert (used[:, 2] > 0).any()
            for x, y, sign in used:
                assert int(truth[sample, int(y), int(x)]) == (1 if sign > 0 else 0)
        assert not (clicks[2, :, 2] > 0).any()


def test_strategies_differ_as_their_names_say() -> None:
    truth = _truth()[:1]
    centre = drawn_clicks(truth, "centre", _generator())
    assert (centre[0, :, 2] != 0).sum() == 1
    assert abs(float(centre[0, 0, 0]) - 25) <= 1
    drawn = [drawn_clicks(truth, "deep", torch.Generator().manual_seed(s)) for s in range(20)]
    for clicks in drawn:
        used = clicks[0][clicks[0, :, 2] != 0]
        assert (used[:, 0] > 18).all()
        assert (used[:, 0] < 32).all()
    with_negatives = drawn_clicks(truth, "border_negatives", _generator())
    assert (with_negatives[..., 2] < 0).any()


def test_negative_clicks_at_the_border_lie_near_the_object_wherever_the_crop_ends() -> None:
    truth = torch.zeros(40, 128, 128, dtype=torch.int8)
    truth[:, :16, 4:20] = 1  # cut by the crop's upper edge
    clicks = drawn_clicks(truth, "border_negatives", _generator())
    negative = clicks[clicks[..., 2] < 0]
    x, y = negative[:, 0] - 0.5, negative[:, 1] - 0.5
    away = torch.hypot((x - 19).clamp_min(0) + (4 - x).clamp_min(0), (y - 15).clamp_min(0))
    assert len(negative) >= 40
    assert (away < 0.25 * 128).all()
    assert (away > 0.05 * 128).all()
    assert (y < 4).any()  # beside the object, at the very edge of the crop
    nothing = drawn_clicks(torch.zeros_like(truth), "border_negatives", _generator())
    assert not (nothing[..., 2] != 0).any()


def test_cross_entropy_counts_the_object_five_times_and_ignores_what_is_ignored() -> None:
    truth = torch.tensor([[[1, 0, -1]]], dtype=torch.int8)
    even = torch.ones(1, 1, 3)
    loss = cross_entropy(torch.zeros(1, 1, 3), truth, even)
    assert float(loss) == pytest.approx((5 + 1) * 0.6931 / 2, rel=1e-3)
    wild = torch.tensor([[[0.0, 0.0, 9.0]]])
    assert float(cross_entropy(wild, truth, even)) == pytest.approx(float(loss))


def test_dice_loss_is_zero_for_the_truth_and_near_one_for_its_opposite() -> None:
    truth = _truth()[:1]
    right = torch.where(truth > 0, 30.0, -30.0)
    assert float(dice_loss(right, truth)) == pytest.approx(0, abs=1e-5)
    assert float(dice_loss(-right, truth)) > 0.99


def test_the_edge_counts_more_on_both_of_its_sides() -> None:
    nearness = nearness_to_edge(_truth()[:1])[0]
    assert nearness[10, 25] == nearness[9, 25] == 1
    assert nearness[20, 25] < 0.05
    assert nearness[0, 0] < 0.05
    config = replace(_CONFIG, loss="bce_dice", boundary_weight=2.0)
    logits = torch.zeros(1, 40, 50)
    logits[:, 9] = 4.0  # wrong right outside the edge
    weighted, plain = (
        total_loss(Outputs(logits=logits), _truth()[:1], torch.zeros(1, 1, 3), c)
        for c in (config, replace(config, boundary_weight=0.0))
    )
    assert weighted > plain


@pytest.mark.slow
def test_the_discriminator_learns_to_tell_and_its_penalty_moves_the_masks() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adversary = Adversary(torch.device("cpu"))
    image, truth = torch.rand(2, 3, 64, 64), torch.zeros(2, 64, 64, dtype=torch.int8)
    truth[:, 16:48, 16:48] = 1
    logits = torch.randn(2, 64, 64, generator=_generator()).requires_grad_()
    before = float(adversary.penalty(image, logits).detach())
    for _ in range(15):
        adversary.learn(image, logits, truth)
    penalty = adversary.penalty(image, logits)
    assert float(penalty.detach()) > before
    penalty.backward()
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) > 0


def test_a_step_grades_every_sample_of_a_batch() -> None:
    def draw(n: int) -> Sample:
        pixels = torch.zeros(n, 3, 32, 32, dtype=torch.uint8)
        truth = torch.zeros(n, 32, 32, dtype=torch.int8)
        truth[:, 8:20, 8:20] = 1
        prior = torch.zeros(n, 32, 32, dtype=torch.uint8)
        return Sample(pixels, truth, prior, torch.zeros(n, dtype=torch.bool), torch.zeros(n))

    network = build_network(NetworkConfig(backbone=UNET, input_size=32)).train()
    rounds = DrawnRounds(_CONFIG, phase=_PHASE, batch=2)
    graded = rounds.graded(network, draw, _generator())
    assert graded.n_new == 2
    assert graded.logits.shape == graded.truth.shape == (2, 32, 32)
    assert graded.loss.requires_grad


@pytest.mark.slow
def test_an_adversarial_run_that_was_cut_ends_in_the_same_weights(tmp_path: Path) -> None:
    config = replace(
        _CONFIG,
        folders=((make_coco_folder(tmp_path / "coco"), 1.0),),
        strategy="border_negatives",
        loss="bce_dice",
        adversarial_weight=0.1,
        boundary_weight=1.0,
    )
    network = NetworkConfig(backbone=UNET, input_size=32)
    weights = []
    for name, n_stops in (("whole", 0), ("cut", 1)):
        out = tmp_path / f"{name}.safetensors"
        job = TrainingJob(config=config, network_config=network, out=out, version="u", n_workers=0)
        for index in range(n_stops + 1):
            stops = index < n_stops
            train(job, report=lambda step: None, should_stop=lambda stops=stops: stops)
        weights.append(load_checkpoint(out).weights)
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_wrong_values_are_named() -> None:
    for change in (
        {"loss": "mse"},
        {"strategy": "corner"},
        {"adversarial_weight": -1.0},
        {"boundary_weight": float("nan")},
    ):
        with pytest.raises(ConfigError, match=next(iter(change))):
            replace(_CONFIG, **change)  # type: ignore[arg-type]
