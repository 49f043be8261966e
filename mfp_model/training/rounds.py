"""The rounds of a training step: clicks that answer the network's own mistakes.

Source: MFP, section 3.4: all rounds but the last run without gradient in evaluation mode, the
last gives the loss.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mfp_model.click_map import click_tensor, draw_click_maps
from mfp_model.click_simulation import depth, next_click
from mfp_model.network import MfpNetwork, first_pass, modulated_pass, run_round
from mfp_model.training.config import TrainingConfig
from mfp_model.training.losses import normalised_focal_loss

Sequences = list[list[tuple[float, float, bool]]]


def draw_n_rounds(config: TrainingConfig, generator: np.random.Generator) -> int:
    """Return a number of rounds in 1..max_rounds with p ~ round_decay^k."""
    weights = config.round_decay ** np.arange(config.max_rounds)
    return 1 + int(generator.choice(config.max_rounds, p=weights / weights.sum()))


def extend_clicks(
    sequences: Sequences,
    truth: NDArray[np.bool_],
    masks: NDArray[np.bool_],
    generator: np.random.Generator,
) -> None:
    """Append each sample's next training click to its sequence, in place.

    The first click lies in the deep inside of the object, later ones in the deep inside of
    the larger error. A sample without error keeps its sequence and repeats its last click.

    Args:
        sequences: B sequences of (x, y, is_positive), network frame.
        truth: bool `[B, H, W]`.
        masks: bool `[B, H, W]`, the answers so far.
        generator: Where the randomness comes from.
    """
    for sequence, wanted, mask in zip(sequences, truth, masks, strict=True):
        if not sequence and generator.random() < 0.5:  # near the centre half of the time
            inside = depth(wanted)
            nearest = np.flatnonzero(inside >= 0.8 * max(float(inside.max()), 1.0))
            if nearest.size:
                row, column = divmod(int(generator.choice(nearest)), wanted.shape[1])
                sequence.append((column + 0.5, row + 0.5, True))
                continue
        click = next_click(wanted, mask, generator=generator)
        if click is not None:
            sequence.append((click.column + 0.5, click.row + 0.5, click.is_positive))


def graded_rounds(
    network: MfpNetwork,
    image: Tensor,
    truth: Tensor,
    config: TrainingConfig,
    generator: np.random.Generator,
    *,
    freezes_norms: bool,
) -> tuple[Tensor, Tensor]:
    """Return loss (a scalar) and logits `[B, H, W]` of the last of a random number of rounds.

    Where the last round is also the first, both of its passes give loss.

    Args:
        network: Left in training mode.
        image: RGB float32 `[B, 3, H, W]` in 0..1.
        truth: `[B, H, W]`, 1 object, 0 background.
        config: How many rounds.
        generator: Where the randomness comes from.
        freezes_norms: See `mfp_model.training.config.Phase`.
    """
    n_rounds = draw_n_rounds(config, generator)
    wanted = truth.bool().cpu().numpy()
    sequences: Sequences = [[] for _ in wanted]
    previous = torch.zeros(truth.shape, device=image.device)
    network.eval()
    for _ in range(n_rounds - 1):
        extend_clicks(sequences, wanted, (previous > 0.5).cpu().numpy(), generator)
        with torch.no_grad():
            clicks = click_tensor(sequences).to(image.device)
            previous = run_round(network, image, previous, clicks).sigmoid()
    extend_clicks(sequences, wanted, (previous > 0.5).cpu().numpy(), generator)
    clicks = click_tensor(sequences).to(image.device)
    click_maps = draw_click_maps(clicks, height=image.shape[2], width=image.shape[3])
    network.train()
    if freezes_norms:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    loss = torch.zeros((), device=image.device)
    if n_rounds == 1:
        first = first_pass(network, image, click_maps)
        loss = loss + normalised_focal_loss(first, truth)
        previous = first.sigmoid()
    logits = modulated_pass(network, image, previous, clicks, click_maps)
    return loss + normalised_focal_loss(logits, truth), logits
