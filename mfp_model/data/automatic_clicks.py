"""Automatic clicks: where a person would click next, given truth and mask.

Two users of one rule, the deepest point of the larger error region: evaluation takes the
deepest point itself, training a random one from the deep inside, for a whole batch at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfp_model.masks.depths import depth
from mfp_model.prompts import Click

DEEP_SHARE = 0.5  # "deep inside": distance to the region's edge above this share of the largest
_MAX_ELEMENTS = 2**26  # of the largest temporary tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelClick:
    """A click on a pixel: row and column from the top left, and its sign."""

    row: int
    column: int
    is_positive: bool

    @property
    def click(self) -> Click:
        """The click on the pixel's middle."""
        return Click(x=self.column + 0.5, y=self.row + 0.5, is_positive=self.is_positive)


def depths(regions: Tensor) -> Tensor:
    """Return `depth` of every region of a batch, float32 `[B, H, W]`, on the regions' device.

    Args:
        regions: bool `[B, H, W]`.
    """
    if regions.is_cuda:
        return exact_distances(regions)
    maps = [depth(region) for region in regions.numpy()]
    return torch.from_numpy(np.stack(maps)) if maps else torch.zeros(regions.shape)


def exact_distances(regions: Tensor) -> Tensor:
    """Return `depths` by tensor operations alone, for devices that OpenCV cannot see.

    The distance along columns comes from two running maxima; the squared distance is the
    smallest sum of a squared column distance and the squared way to that column.
    """
    n_batch, height, width = regions.shape
    position = torch.arange(1, height + 1, device=regions.device)[:, None]
    outside = torch.where(regions, 0, position)
    above = position - outside.cummax(dim=1).values
    mirrored = torch.where(regions.flip(1), 0, position)
    below = (position - mirrored.cummax(dim=1).values).flip(1)
    squared = torch.nn.functional.pad(torch.minimum(above, below).float() ** 2, (1, 1))
    column = torch.arange(-1, width + 1, device=regions.device, dtype=torch.float32)
    way = (column[1:-1, None] - column) ** 2  # [W, W + 2]
    n_rows = max(1, _MAX_ELEMENTS // max(1, n_batch * width * (width + 2)))
    parts = [
        (squared[:, top : top + n_rows, None, :] + way).amin(dim=-1)
        for top in range(0, height, n_rows)
    ]
    return torch.cat(parts, dim=1).sqrt()


def next_click(
    truth: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    *,
    valid: NDArray[np.bool_] | None = None,
    clicked: NDArray[np.bool_] | None = None,
) -> PixelClick | None:
    """Return the next automatic click, or None where no error is left.

    Args:
        truth: The object, bool `[H, W]`.
        mask: What is segmented so far, bool `[H, W]`.
        valid: False where an error does not count (ignore label), bool `[H, W]`.
        clicked: True at pixels already clicked, which are not clicked again, bool `[H, W]`.
    """
    missed, excess = truth & ~mask, mask & ~truth
    if valid is not None:
        missed, excess = missed & valid, excess & valid
    missed_depth, excess_depth = depth(missed), depth(excess)
    if clicked is not None:
        missed_depth[clicked] = 0
        excess_depth[clicked] = 0
    is_positive = bool(missed_depth.max() > excess_depth.max())
    chosen = missed_depth if is_positive else excess_depth
    if chosen.max() <= 0:
        return None
    row, column = divmod(int(chosen.argmax()), chosen.shape[1])
    return PixelClick(row=row, column=column, is_positive=is_positive)


def deepest_next_clicks(truth: Tensor, masks: Tensor) -> Tensor:
    """Return `next_click` for a batch, float32 `[B, 3]` as (x, y, sign), sign 0 for no error left.

    Args:
        truth: int8 `[B, H, W]`: 1 object, 0 background, -1 ignored.
        masks: What is segmented so far, bool `[B, H, W]`.
    """
    chosen, sign = _larger_errors(truth, masks)
    return _at_pixels(chosen.argmax(dim=1), sign, truth.shape[2])


def random_next_clicks(
    truth: Tensor, masks: Tensor, generator: torch.Generator, *, deep_share: Tensor | None = None
) -> Tensor:
    """Return one training click for each sample, float32 `[B, 3]` as (x, y, sign).

    It is drawn from the deep inside of the larger error; its sign is 0 where no error is left.

    Args:
        truth: int8 `[B, H, W]`: 1 object, 0 background, -1 ignored.
        masks: What is segmented so far, bool `[B, H, W]`.
        generator: Where the randomness comes from, on the CPU.
        deep_share: How deep a click must lie, as a share of the greatest depth, float `[B]`;
            a half by default.

    Source: MFP, section 3.4 and the published implementation.
    """
    chosen, sign = _larger_errors(truth, masks)
    share = torch.full((len(truth),), DEEP_SHARE) if deep_share is None else deep_share
    is_deep = chosen > (share.to(chosen.device) * chosen.amax(dim=1))[:, None]
    return random_pixels(is_deep.view(truth.shape), sign, generator)


def random_pixels(regions: Tensor, sign: Tensor, generator: torch.Generator) -> Tensor:
    """Return a click on a random pixel of each region, float32 `[B, 3]` as (x, y, sign).

    Args:
        regions: bool `[B, H, W]`; an empty one gets a click with sign 0.
        sign: +1 or -1, float `[B]`.
        generator: Where the randomness comes from, on the CPU.
    """
    # The u-th of a sample's pixels, for u uniform: no loop, and few random numbers.
    rank = regions.flatten(1).cumsum(dim=1)
    uniform = torch.rand(len(regions), generator=generator).to(regions.device)
    wanted = (uniform * rank[:, -1]).floor().long() + 1
    index = (rank < wanted[:, None]).sum(dim=1).clamp_max(rank.shape[1] - 1)
    return _at_pixels(index, sign * (rank[:, -1] > 0), regions.shape[2])


def _larger_errors(truth: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Depths in each sample's larger error `[B, H * W]`, and the sign of a click there `[B]`."""
    missed, excess = (truth > 0) & ~masks, (truth == 0) & masks
    both = depths(torch.cat([missed, excess])).flatten(1)
    missed_depth, excess_depth = both[: len(truth)], both[len(truth) :]
    is_positive = missed_depth.amax(dim=1) > excess_depth.amax(dim=1)
    chosen = torch.where(is_positive[:, None], missed_depth, excess_depth)
    return chosen, torch.where(is_positive, 1.0, -1.0) * (chosen.amax(dim=1) > 0)


def _at_pixels(index: Tensor, sign: Tensor, width: int) -> Tensor:
    return torch.stack([index % width + 0.5, index // width + 0.5, sign], dim=1)
