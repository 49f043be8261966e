"""The published recursion: rounds without gradient, then one that gives the loss.

Source: MFP, section 3.4: all rounds but the last run without gradient in evaluation mode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mfp_model.data.automatic_clicks import DEEP_SHARE, random_next_clicks
from mfp_model.networks.click_map import append_clicks, draw_click_maps
from mfp_model.networks.modulation import modulate
from mfp_model.networks.network import ClickNetwork, run_round
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.losses import total_loss
from mfp_model.training.samples import Sample

Draw = Callable[[int], Sample]

# How deep clicks lie, as shares of the greatest depth, and how often: first ones near the centre,
# deep inside or anywhere; later ones deep in the error or anywhere in it.
_FIRST_DEPTHS = ((0.45, 0.8), (0.35, DEEP_SHARE), (0.2, 0.02))
_LATER_DEPTHS = ((0.75, DEEP_SHARE), (0.25, 0.05))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graded:
    """What a training step learned from.

    Attributes:
        loss: A scalar with gradient.
        image: RGB float32 `[B, 3, H, W]` in 0..1.
        logits: `[B, H, W]` of the newest pass.
        truth: int8 `[B, H, W]`, 1 object, 0 background, -1 ignored.
        n_new: Images that were drawn for it.
    """

    loss: Tensor
    image: Tensor
    logits: Tensor
    truth: Tensor
    n_new: int


def draw_n_rounds(config: TrainingConfig, generator: torch.Generator) -> int:
    """Return a number of rounds in 1..max_rounds with p ~ round_decay^k."""
    weights = config.round_decay ** torch.arange(config.max_rounds, dtype=torch.float64)
    return 1 + int(torch.multinomial(weights, 1, generator=generator))


def first_depths(n: int, generator: torch.Generator) -> Tensor:
    """Return how deep first clicks must lie, as shares of the greatest depth, float `[n]`."""
    return _drawn_depths(_FIRST_DEPTHS, n, generator)


def later_depths(n: int, generator: torch.Generator) -> Tensor:
    """Return how deep in the error later clicks must lie, float `[n]`."""
    return _drawn_depths(_LATER_DEPTHS, n, generator)


def _drawn_depths(
    depths: tuple[tuple[float, float], ...], n: int, generator: torch.Generator
) -> Tensor:
    odds, shares = torch.tensor(depths).unbind(dim=1)
    return shares[torch.multinomial(odds, n, replacement=True, generator=generator)]


class StatelessRounds:
    """Rounds of which nothing is kept from step to step."""

    def __init__(self, config: TrainingConfig, *, phase: Phase, batch: int) -> None:
        self._config = config
        self._batch = batch
        self._device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Work on the device from now on."""
        self._device = device

    def state_dict(self) -> dict[str, Tensor]:
        """Return nothing, which is all that is kept."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take nothing over."""


class RecursiveRounds(StatelessRounds):
    """The published scheme."""

    def graded(self, network: ClickNetwork, draw: Draw, generator: torch.Generator) -> Graded:
        """Return loss and logits of the last of a random number of rounds.

        Where the last round is also the first, both of its passes give loss, and the gradient
        of the second flows through the first; arguments as in `StreamedRounds.graded`.
        """
        pixels, truth, prior, *_ = (part.to(self._device) for part in draw(self._batch))
        image = pixels.float().div(255).contiguous(memory_format=torch.channels_last)
        previous = prior.float()
        clicks = torch.zeros(len(truth), self._config.max_rounds, 3, device=self._device)
        modes = [(module, module.training) for module in network.modules()]
        network.eval()
        n_rounds = draw_n_rounds(self._config, generator)
        for index in range(n_rounds):
            share = (later_depths if index else first_depths)(len(truth), generator)
            next_clicks = random_next_clicks(truth, previous > 0.5, generator, deep_share=share)
            clicks = append_clicks(clicks, next_clicks)
            if index < n_rounds - 1:
                with torch.no_grad():
                    previous = run_round(network, image, previous, clicks).logits.sigmoid()
        for module, is_training in modes:
            module.training = is_training
        return self._last_round(network, image, truth, previous, clicks)

    def _last_round(
        self, network: ClickNetwork, image: Tensor, truth: Tensor, previous: Tensor, clicks: Tensor
    ) -> Graded:
        click_maps = draw_click_maps(clicks, height=image.shape[2], width=image.shape[3])
        loss = torch.zeros((), device=self._device)
        is_first = (previous == 0).flatten(1).all(dim=1)
        if bool(is_first.any()):
            zeros = torch.zeros_like(click_maps)
            outputs = network.outputs(image, zeros, click_maps)
            valid = torch.where(is_first[:, None, None], truth, -1)
            loss = loss + total_loss(outputs, valid, clicks, self._config)
            previous = torch.where(is_first[:, None, None], outputs.logits.sigmoid(), previous)
        modulated = modulate(previous.detach(), clicks, network.config.modulation, image=image)
        maps = torch.stack([previous, modulated], dim=1)
        outputs = network.outputs(image, maps, click_maps)
        loss = loss + total_loss(outputs, truth, clicks, self._config)
        return Graded(loss=loss, image=image, logits=outputs.logits, truth=truth, n_new=len(truth))
