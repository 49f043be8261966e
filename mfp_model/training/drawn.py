"""One pass a sample, with clicks drawn from the truth alone.

The strategies of clicking that do not ask what was segmented so far; the one that does is
`streamed`, whose clicks go where the newest mask is wrong.

- `centre`: one click on the object's deepest point.
- `inside`: one to three clicks anywhere on the object.
- `deep`: one to three clicks deep inside it.
- `border_negatives`: those, and one to three negative ones just outside its edge.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from mfp_model.data.automatic_clicks import DEEP_SHARE, deepest_next_clicks, depths, random_pixels
from mfp_model.networks.click_map import append_clicks, draw_click_maps
from mfp_model.networks.network import ClickNetwork
from mfp_model.training.losses import total_loss
from mfp_model.training.rounds import Draw, Graded, StatelessRounds

_MAX_OF_A_SIGN = 3
_RING_SHARE = (0.05, 0.25)  # how far outside negative clicks lie, of the crop's side


class DrawnRounds(StatelessRounds):
    """A pass for every batch of new samples."""

    def graded(self, network: ClickNetwork, draw: Draw, generator: torch.Generator) -> Graded:
        """Return loss and logits of one pass; arguments as in `StreamedRounds.graded`."""
        pixels, truth, *_ = (part.to(self._device) for part in draw(self._batch))
        image = pixels.float().div(255).contiguous(memory_format=torch.channels_last)
        clicks = drawn_clicks(truth, self._config.strategy, generator)
        click_maps = draw_click_maps(clicks, height=image.shape[2], width=image.shape[3])
        outputs = network.outputs(image, torch.zeros_like(click_maps), click_maps)
        loss = total_loss(outputs, truth, clicks, self._config)
        return Graded(loss=loss, image=image, logits=outputs.logits, truth=truth, n_new=len(truth))


def drawn_clicks(truth: Tensor, strategy: str, generator: torch.Generator) -> Tensor:
    """Return the click tensor `[B, 6, 3]` of a strategy.

    Args:
        truth: int8 `[B, H, W]`: 1 object, 0 background, -1 ignored.
        strategy: One of `mfp_model.names.STRATEGIES`.
        generator: Where the randomness comes from, on the CPU.
    """
    clicks = torch.zeros(len(truth), 2 * _MAX_OF_A_SIGN, 3, device=truth.device)
    is_object = truth > 0
    if strategy == "centre":
        return append_clicks(clicks, deepest_next_clicks(truth, torch.zeros_like(is_object)))
    region = is_object
    if strategy != "inside":
        depth = depths(is_object)
        region = depth > DEEP_SHARE * depth.amax(dim=(1, 2), keepdim=True)
    clicks = _with_some(clicks, region, 1.0, generator)
    if strategy == "border_negatives":
        clicks = _with_some(clicks, _ring(is_object) & (truth == 0), -1.0, generator)
    return clicks


def _ring(is_object: Tensor) -> Tensor:
    """What lies just outside each object's edge, `[B, H, W]`; where the crop ends is no edge."""
    low, high = (share * max(is_object.shape[1:]) for share in _RING_SHARE)
    reach = math.ceil(high)
    away = depths(~F.pad(is_object, (reach,) * 4))[:, reach:-reach, reach:-reach]
    return (away > low) & (away < high)


def _with_some(clicks: Tensor, regions: Tensor, sign: float, generator: torch.Generator) -> Tensor:
    """One to three more clicks for each sample."""
    signs = torch.full((len(regions),), sign, device=regions.device)
    n_clicks = torch.randint(1, _MAX_OF_A_SIGN + 1, (len(regions),), generator=generator)
    for index in range(_MAX_OF_A_SIGN):
        new_clicks = random_pixels(regions, signs, generator)
        new_clicks[:, 2] *= (index < n_clicks).to(new_clicks.device)
        clicks = append_clicks(clicks, new_clicks)
    return clicks
