"""The rounds of clicks that a sample goes through."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mfp_model.training.config import Phase
from mfp_model.training.loop import Run
from mfp_model.training.losses import normalised_focal_loss
from mfp_model.training.rounds import RecursiveRounds, draw_n_rounds
from mfp_model.training.samples import Sample
from mfp_model.training.stream import StreamedRounds
from tests.unit.mfp_model.training.short_runs import NETWORK, config_of


def _fixed(n: int, *, prior: bool = False, box: bool = False) -> Callable[[int], Sample]:
    truth = torch.zeros(n, 64, 64, dtype=torch.int8)
    truth[:, 16:48, 16:48] = 1
    pixels = truth[:, None].repeat(1, 3, 1, 1).mul(200).to(torch.uint8)
    priors = (truth if prior else torch.zeros_like(truth)).to(torch.uint8)
    priors[:, :, 30:] = 0
    is_box = torch.full((n,), box)
    samples = Sample(pixels, truth, priors, is_box, torch.zeros(n))
    return lambda count: Sample(*(part[:count] for part in samples))


def test_streamed_samples_go_from_first_pass_to_modulated_pass_to_more_clicks(
    folder: Path,
) -> None:
    config = config_of(folder, round_decay=1.0)
    phase = Phase(height=64, width=64, batch=2)
    network = Run(config, NETWORK).state.network.eval()
    rounds = StreamedRounds(config, phase=phase, batch=2)
    generator = torch.Generator().manual_seed(0)
    n_clicks, n_new = [], []
    for _ in range(4):
        graded = rounds.graded(network, _fixed(2), generator)
        n_new.append(graded.n_new)
        n_clicks.append(int((rounds.state_dict()["_clicks"][0, :, 2] != 0).sum()))
    # One click serves two passes; after each later pass there is one more, until none is left.
    assert n_clicks == [1, 2, 3, 3]
    assert n_new == [2, 0, 0, 0]
    assert bool(rounds.state_dict()["_is_free"].all())
    assert rounds.graded(network, _fixed(2), generator).n_new == 2


def test_a_sample_with_a_prior_mask_begins_with_a_modulated_pass(folder: Path) -> None:
    config = config_of(folder, round_decay=1.0)
    rounds = StreamedRounds(config, phase=Phase(height=64, width=64, batch=2), batch=2)
    network = Run(config, NETWORK).state.network.eval()
    rounds.graded(network, _fixed(2, prior=True), torch.Generator().manual_seed(0))
    clicks = rounds.state_dict()["_clicks"]
    assert int((clicks[0, :, 2] != 0).sum()) == 2  # one answered, the next one placed
    assert clicks[0, 0, 2] == 1
    assert clicks[0, 0, 0] >= 30  # where the prior lacks something


def test_a_sample_with_a_box_is_answered_before_the_first_click(folder: Path) -> None:
    config = config_of(folder, round_decay=1.0)
    rounds = StreamedRounds(config, phase=Phase(height=64, width=64, batch=2), batch=2)
    network = Run(config, NETWORK).state.network.eval()
    n_clicks = []
    for _ in range(2):
        rounds.graded(network, _fixed(2, prior=True, box=True), torch.Generator().manual_seed(0))
        n_clicks.append(int((rounds.state_dict()["_clicks"][0, :, 2] != 0).sum()))
    assert n_clicks == [1, 2]


def test_the_gradient_of_a_first_round_flows_through_both_passes(folder: Path) -> None:
    config = config_of(folder, max_rounds=1)
    network = Run(config, NETWORK).state.network.train()
    rounds = RecursiveRounds(config, phase=Phase(height=64, width=64, batch=2), batch=2)
    graded = rounds.graded(network, _fixed(2), torch.Generator().manual_seed(0))
    assert network.training
    graded.loss.backward()  # type: ignore[no-untyped-call]
    assert graded.loss.item() > normalised_focal_loss(graded.logits, graded.truth).item()


def test_rounds_are_drawn_with_falling_probability(folder: Path) -> None:
    config = config_of(folder, max_rounds=4)
    generator = torch.Generator().manual_seed(0)
    counts = np.bincount([draw_n_rounds(config, generator) for _ in range(2000)], minlength=5)
    assert counts[0] == 0
    assert counts[1] > counts[2] > counts[3] > counts[4] > 0
