"""The newest click of each sample and the window around it in which the modulation works."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MIN_RADIUS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class NewestClick:
    """The newest click of each sample, shapes `[B, 1, 1]`, float64.

    Attributes:
        x: Column, network frame.
        y: Row, network frame.
        is_positive: Its sign.
        index: How many clicks came before it.
        exists: False for a sample without clicks.
    """

    x: Tensor
    y: Tensor
    is_positive: Tensor
    index: Tensor
    exists: Tensor


def newest_click(clicks: Tensor) -> NewestClick:
    """Return the newest click of each sample of a click tensor `[B, N, 3]`."""
    n_clicks = (clicks[..., 2] != 0).sum(dim=1)
    last = (n_clicks - 1).clamp_min(0)
    newest = clicks.gather(1, last[:, None, None].expand(-1, 1, 3)).double()
    return NewestClick(
        x=newest[..., 0:1],
        y=newest[..., 1:2],
        is_positive=newest[..., 2:3] > 0,
        index=last[:, None, None],
        exists=(n_clicks > 0)[:, None, None],
    )


@dataclass(frozen=True, slots=True, eq=False)
class ClickWindow:
    """A disk around the newest click, cut from the smallest rectangle that holds every one.

    Attributes:
        rows: The rectangle's rows in the map.
        columns: Its columns.
        radius: Of each disk, float64 `[B, 1, 1]`.
        squared_distance: To the newest click, float64 `[B, h, w]`.
        inside: In the disk, bool `[B, h, w]`.
    """

    rows: slice
    columns: slice
    radius: Tensor
    squared_distance: Tensor
    inside: Tensor


def click_window(
    clicks: Tensor, newest: NewestClick, *, height: int, width: int, max_radius: float
) -> ClickWindow:
    """Return the window of each sample.

    Its radius is `max_radius` while there is no click of the opposite sign, else half the way
    to the nearest one and at least 10; opposite clicks nearer than 10 keep a disk for themselves.

    Args:
        clicks: Click tensor `[B, N, 3]`.
        newest: Its newest clicks.
        height: Rows of the map.
        width: Columns of the map.
        max_radius: R_max, pixels of the network frame.

    Source: MFP, Eq. 6 and the published implementation, which does not cap by R_max where
    there are opposite clicks.
    """
    radius, nearest = _radius(clicks, newest, max_radius)
    top, bottom, left, right = _bounds(newest, radius, height, width)
    rows = torch.arange(top, bottom, device=clicks.device, dtype=torch.float64)[:, None]
    columns = torch.arange(left, right, device=clicks.device, dtype=torch.float64)
    squared_distance = (columns - newest.x) ** 2 + (rows - newest.y) ** 2
    inside = (squared_distance <= radius**2) & newest.exists
    if clicks.is_cuda or bool((nearest < MIN_RADIUS).any()):
        inside &= ~_taken_by_opposite(clicks, newest, rows, columns)
    return ClickWindow(
        rows=slice(top, bottom),
        columns=slice(left, right),
        radius=radius,
        squared_distance=squared_distance,
        inside=inside,
    )


def _radius(clicks: Tensor, newest: NewestClick, max_radius: float) -> tuple[Tensor, Tensor]:
    """Window radius, and distance to the nearest opposite click (inf if none), `[B, 1, 1]`."""
    x, y, click_sign = clicks.double().unbind(dim=2)
    distance = torch.hypot(x - newest.x[..., 0], y - newest.y[..., 0])
    opposite = click_sign * torch.where(newest.is_positive, 1.0, -1.0)[..., 0] < 0
    nearest = torch.where(opposite, distance, torch.inf).amin(dim=1)[:, None, None]
    nearest = nearest.float().double()  # its single precision decides ties on the window's edge
    halfway = (nearest / 2).clamp_min(MIN_RADIUS)
    return torch.where(nearest.isinf(), max_radius, halfway), nearest


def _bounds(
    newest: NewestClick, radius: Tensor, height: int, width: int
) -> tuple[int, int, int, int]:
    """Rows and columns that hold every sample's window.

    All of them on a GPU, which then need not be waited for.
    """
    if radius.is_cuda or radius.shape[0] == 0:
        return 0, height, 0, width
    top = int((newest.y - radius).amin().clamp(0, height - 1))
    bottom = int((newest.y + radius).amax().clamp(0, height - 1)) + 1
    left = int((newest.x - radius).amin().clamp(0, width - 1))
    right = int((newest.x + radius).amax().clamp(0, width - 1)) + 1
    return top, bottom, left, right


def _taken_by_opposite(
    clicks: Tensor, newest: NewestClick, rows: Tensor, columns: Tensor
) -> Tensor:
    """Disks around opposite clicks nearer than the smallest window; they keep their values."""
    taken = torch.zeros(1, 1, 1, dtype=torch.bool, device=clicks.device)
    sign = torch.where(newest.is_positive, 1.0, -1.0)
    for click in clicks.double().unbind(dim=1):
        x, y, click_sign = (value[:, None, None] for value in click.unbind(dim=1))
        reach = torch.hypot(x - newest.x, y - newest.y)
        is_near = (click_sign * sign < 0) & (reach < MIN_RADIUS)
        taken = taken | (is_near & (torch.hypot(columns - x, rows - y) <= reach))
    return taken
