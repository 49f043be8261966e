"""Clicks as tensors in the network frame, and the disks drawn around them.

A *click tensor* is float32 `[B, N, 3]`: x, y in pixels of the network frame, and the sign
(+1 positive, -1 negative, 0 for the padding behind a shorter sequence), oldest first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

CLICK_RADIUS_PX = 5.0  # Source: MFP, section 4.1 and the published implementation.


def click_tensor(sequences: Sequence[Sequence[tuple[float, float, bool]]]) -> Tensor:
    """Return the click tensor `[B, N, 3]` of B sequences of (x, y, is_positive).

    N is the longest sequence's length and at least 1; shorter ones are padded with sign 0.
    """
    n_clicks = max([1, *(len(sequence) for sequence in sequences)])
    clicks = torch.zeros(len(sequences), n_clicks, 3, dtype=torch.float32)
    for row, sequence in zip(clicks, sequences, strict=True):
        for slot, (x, y, is_positive) in zip(row, sequence, strict=False):
            slot[:] = torch.tensor([x, y, 1.0 if is_positive else -1.0], dtype=torch.float32)
    return clicks


def append_clicks(clicks: Tensor, new_clicks: Tensor) -> Tensor:
    """Return the click tensor with one more click a sample, in each one's first free slot.

    Args:
        clicks: Click tensor `[B, N, 3]`.
        new_clicks: `[B, 3]`; a sign of 0 appends nothing, as does a sample without a free slot.
    """
    n_clicks = (clicks[..., 2] != 0).sum(dim=1, keepdim=True)
    slots = torch.arange(clicks.shape[1], device=clicks.device)
    takes = (slots == n_clicks) & (new_clicks[:, 2:] != 0)
    return torch.where(takes[..., None], new_clicks[:, None], clicks)


def draw_click_maps(
    clicks: Tensor, *, height: int, width: int, radius: float = CLICK_RADIUS_PX
) -> Tensor:
    """Return click maps float32 `[B, 2, height, width]`: 1 where a click of that sign is near.

    Near means a Euclidean distance of at most `radius` from the pixel's integer position.
    Costs O(clicks * radius^2), whatever the size of the map.

    Args:
        clicks: Click tensor `[B, N, 3]`.
        height: Rows of the maps.
        width: Columns of the maps.
        radius: Pixels of the network frame.

    Source: MFP, section 3.1; disks of radius 5 as in RITM.
    """
    n_batch = clicks.shape[0]
    reach = math.ceil(radius)
    offsets = torch.arange(-reach, reach + 2, device=clicks.device)
    centre = clicks[..., :2].floor().long()  # [B, N, 2]
    columns = centre[..., 0, None, None] + offsets  # [B, N, 1, k]
    rows = centre[..., 1, None, None] + offsets[:, None]  # [B, N, k, 1]
    distance = (columns - clicks[..., 0, None, None]) ** 2 + (
        rows - clicks[..., 1, None, None]
    ) ** 2
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    drawn = inside & (distance <= radius**2) & (clicks[..., 2, None, None] != 0)
    sample = torch.arange(n_batch, device=clicks.device)[:, None, None, None]
    channel = (clicks[..., 2] < 0).long()[..., None, None]
    index = ((sample * 2 + channel) * height + rows) * width + columns
    # What must not be drawn is written to one spare pixel behind the maps, so that no shape
    # depends on the data and a GPU never waits for the CPU.
    spare = n_batch * 2 * height * width
    maps = torch.zeros(spare + 1, dtype=torch.float32, device=clicks.device)
    maps[torch.where(drawn, index, spare).flatten()] = 1.0
    return maps[:spare].view(n_batch, 2, height, width)
