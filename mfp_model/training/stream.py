"""Streamed rounds: a batch whose samples are each at a round of their own, all giving loss.

The published recursion runs a random number of rounds without gradient to learn from the last
alone, so most of the time goes into passes that teach nothing. Here each sample stays for as
many rounds as it would have been drawn, every pass gives loss, and its own answer is the next
round's previous map. A batch then mixes first passes and later rounds in the proportions that
inference meets, which also keeps its normalisation statistics those of inference.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mfp_model.data.automatic_clicks import random_next_clicks
from mfp_model.networks.click_map import append_clicks, draw_click_maps
from mfp_model.networks.modulation import modulate
from mfp_model.networks.network import ClickNetwork
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.losses import total_loss
from mfp_model.training.rounds import Draw, Graded, first_depths, later_depths
from mfp_model.training.samples import Sample


class StreamedRounds:
    """The samples in work, their clicks and their newest probability maps."""

    def __init__(self, config: TrainingConfig, *, phase: Phase, batch: int) -> None:
        height, width = phase.height, phase.width
        self._config = config
        self._image = torch.zeros(batch, 3, height, width, dtype=torch.uint8)
        self._truth = torch.zeros(batch, height, width, dtype=torch.int8)
        self._previous = torch.zeros(batch, height, width)
        self._clicks = torch.zeros(batch, config.max_rounds, 3)
        self._is_free = torch.ones(batch, dtype=torch.bool)
        self._is_first_pass = torch.zeros(batch, dtype=torch.bool)
        self._n_outside_px = torch.zeros(batch)

    def to(self, device: torch.device) -> None:
        """Move everything to the device."""
        for name, value in self.state_dict().items():
            setattr(self, name, value.to(device))

    def state_dict(self) -> dict[str, Tensor]:
        """Return all that changes from step to step."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over a state of the same size and batch."""
        for name, value in self.state_dict().items():
            value.copy_(state[name])

    def graded(self, network: ClickNetwork, draw: Draw, generator: torch.Generator) -> Graded:
        """Return loss and logits of one pass of every sample, and move each to its next.

        Args:
            network: In training mode.
            draw: Gives n new samples.
            generator: Where the randomness comes from, on the CPU.
        """
        n_new = self._take_in(draw, generator)
        self._is_first_pass &= network.uses_maps  # without maps, the second would be the same
        image = self._image.float().div(255).contiguous(memory_format=torch.channels_last)
        modulated = self._previous
        if network.uses_maps:
            modulation = network.config.modulation
            modulated = modulate(self._previous, self._clicks, modulation, image=image)
            modulated = torch.where(self._is_first_pass[:, None, None], 0.0, modulated)
        click_maps = draw_click_maps(self._clicks, height=image.shape[2], width=image.shape[3])
        maps = torch.stack([self._previous, modulated], dim=1)
        outputs = network.outputs(image, maps, click_maps)
        loss = total_loss(outputs, self._truth, self._clicks, self._config, self._n_outside_px)
        truth, logits = self._truth.clone(), outputs.logits
        self._move_on(logits.detach().float().sigmoid(), generator)
        return Graded(loss=loss, image=image, logits=logits, truth=truth, n_new=n_new)

    def _take_in(self, draw: Draw, generator: torch.Generator) -> int:
        free = self._is_free.nonzero()[:, 0]
        n_new = len(free)
        if n_new:
            new = Sample(*(part.to(self._image.device) for part in draw(n_new)))
            share = first_depths(n_new, generator)
            first = random_next_clicks(new.truth, new.prior > 0, generator, deep_share=share)
            first[:, 2] *= ~new.is_box
            self._image[free], self._truth[free] = new.pixels, new.truth
            self._previous[free] = new.prior.float()
            self._clicks[free] = 0
            self._clicks[free, 0] = first
            self._is_first_pass[free] = (new.prior == 0).all(dim=2).all(dim=1)
            self._n_outside_px[free] = new.n_outside_px
        return n_new

    def _move_on(self, answers: Tensor, generator: torch.Generator) -> None:
        """Keep the answers; a sample ends by chance, without an error left, or out of slots."""
        self._previous.copy_(answers)
        share = later_depths(len(answers), generator)
        next_clicks = random_next_clicks(self._truth, answers > 0.5, generator, deep_share=share)
        n_clicks = (self._clicks[..., 2] != 0).sum(dim=1)
        goes_on = torch.rand(len(next_clicks), generator=generator) < self._config.round_decay
        goes_on = (
            goes_on.to(next_clicks.device)
            & (next_clicks[:, 2] != 0)
            & (n_clicks < self._clicks.shape[1])
        )
        wants_click = goes_on & ~self._is_first_pass
        next_clicks[:, 2] *= wants_click
        self._clicks = append_clicks(self._clicks, next_clicks)
        self._is_free = ~goes_on & ~self._is_first_pass
        self._is_first_pass = torch.zeros_like(self._is_first_pass)
