"""Modulation: push the previous probability map towards the newest click around it.

Source: MFP, section 3.2 and the supplement; numbers follow the published implementation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mfp_model.errors import ConfigError

_POSITIVE_TARGET = 0.99  # value wanted at a positive click
_NEGATIVE_TARGET = 0.01  # value wanted at a negative click
_MIN_RADIUS = 10.0
_LOG_EPSILON = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulationConfig:
    """Constants of the modulation.

    Attributes:
        n_early_clicks: Clicks with an index below this use the probability distance, later
            ones the Euclidean distance (N in the paper), >= 0.
        max_radius: Window radius in pixels of the network frame while no click of the
            opposite sign exists (R_max), >= 10.

    Raises:
        ConfigError: A value outside its range.
    """

    n_early_clicks: int = 7
    max_radius: float = 100.0

    def __post_init__(self) -> None:
        if self.n_early_clicks < 0:
            raise ConfigError(f"n_early_clicks={self.n_early_clicks}: expected >= 0")
        if not self.max_radius >= _MIN_RADIUS:
            raise ConfigError(f"max_radius={self.max_radius}: expected >= {_MIN_RADIUS}")


@dataclass(frozen=True, slots=True, eq=False)
class _Newest:
    """The newest click of each sample, shapes `[B, 1, 1]`, float64."""

    x: Tensor
    y: Tensor
    is_positive: Tensor
    exists: Tensor
    is_early: Tensor


def modulate(probability: Tensor, clicks: Tensor, config: ModulationConfig | None = None) -> Tensor:
    """Return the modulated probability maps float32 `[B, H, W]`, always finite, in 0..1.

    Each sample is treated alone; one without clicks comes back unchanged. Where the published
    implementation divides zero by zero (every pixel of the window as probable as the click, or
    their median so: a positive click inside a binary mask, a constant map), the limit is taken
    that applies the full gamma to pixels exactly as probable as the click and none elsewhere.

    Args:
        probability: Previous probability maps float `[B, H, W]` in 0..1, network frame.
        clicks: Click tensor `[B, N, 3]`, oldest first, see `mfp_model.click_map`.
        config: Constants; the published ones by default.

    Source: MFP, Eq. 4-9. The published implementation computes in float64; here what is
    per sample does, what is per pixel is float32, within 1e-6 of it at a third of the time.
    """
    config = config or ModulationConfig()
    height, width = probability.shape[-2:]
    newest = _newest_click(clicks, config)
    radius, nearest = _window_radius(clicks, newest, config)
    top, bottom, left, right = _bounds(newest, radius, height, width)
    rows = torch.arange(top, bottom, device=clicks.device, dtype=torch.float64)[:, None]
    columns = torch.arange(left, right, device=clicks.device, dtype=torch.float64)
    squared_distance = (columns - newest.x) ** 2 + (rows - newest.y) ** 2
    window = (squared_distance <= radius**2) & newest.exists
    if clicks.is_cuda or bool((nearest < _MIN_RADIUS).any()):
        window &= ~_taken_by_opposite(clicks, newest, rows, columns)
    previous = probability[:, top:bottom, left:right].float()
    at_click = _value_at(probability, newest.x, newest.y, height, width).double()
    pushed = _push(previous, squared_distance, window, at_click, radius, newest)
    modulated = probability.float().clone()
    modulated[:, top:bottom, left:right] = torch.where(window, pushed, previous)
    return _stamp(modulated, newest)


def _newest_click(clicks: Tensor, config: ModulationConfig) -> _Newest:
    n_clicks = (clicks[..., 2] != 0).sum(dim=1)
    last = (n_clicks - 1).clamp_min(0)
    newest = clicks.gather(1, last[:, None, None].expand(-1, 1, 3)).double()
    return _Newest(
        x=newest[..., 0:1],
        y=newest[..., 1:2],
        is_positive=newest[..., 2:3] > 0,
        exists=(n_clicks > 0)[:, None, None],
        is_early=(last < config.n_early_clicks)[:, None, None],
    )


def _window_radius(
    clicks: Tensor, newest: _Newest, config: ModulationConfig
) -> tuple[Tensor, Tensor]:
    """Window radius, and distance to the nearest opposite click (inf if none), `[B, 1, 1]`."""
    x, y, click_sign = clicks.double().unbind(dim=2)
    distance = torch.hypot(x - newest.x[..., 0], y - newest.y[..., 0])
    opposite = click_sign * torch.where(newest.is_positive, 1.0, -1.0)[..., 0] < 0
    nearest = torch.where(opposite, distance, torch.inf).amin(dim=1)[:, None, None]
    nearest = nearest.float().double()  # its single precision decides ties on the window's edge
    halfway = (nearest / 2).clamp_min(_MIN_RADIUS)
    return torch.where(nearest.isinf(), config.max_radius, halfway), nearest


def _bounds(newest: _Newest, radius: Tensor, height: int, width: int) -> tuple[int, int, int, int]:
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


def _taken_by_opposite(clicks: Tensor, newest: _Newest, rows: Tensor, columns: Tensor) -> Tensor:
    """Disks around opposite clicks nearer than the smallest window; they keep their values."""
    taken = torch.zeros(1, 1, 1, dtype=torch.bool, device=clicks.device)
    sign = torch.where(newest.is_positive, 1.0, -1.0)
    for click in clicks.double().unbind(dim=1):
        x, y, click_sign = (value[:, None, None] for value in click.unbind(dim=1))
        reach = torch.hypot(x - newest.x, y - newest.y)
        is_near = (click_sign * sign < 0) & (reach < _MIN_RADIUS)
        taken = taken | (is_near & (torch.hypot(columns - x, rows - y) <= reach))
    return taken


def _push(
    previous: Tensor,
    squared_distance: Tensor,
    window: Tensor,
    at_click: Tensor,
    radius: Tensor,
    newest: _Newest,
) -> Tensor:
    """The window's new values (Eq. 4-9); what lies outside the window is arbitrary."""
    gamma_at_click = _gamma_at_click(at_click, newest.is_positive)
    all_early, any_early = _all_and_any(newest.is_early)
    if any_early:
        share = _early_share((previous - at_click.float()) ** 2, window)
    if not all_early:
        late = 1 - (squared_distance.sqrt() / radius).float()
        share = torch.where(newest.is_early, share, late) if any_early else late
    gamma = share.clamp_min_(0).mul_((gamma_at_click - 1).float()).add_(1)
    all_positive, any_positive = _all_and_any(newest.is_positive)
    exponent = gamma.reciprocal() if any_positive else gamma
    if any_positive and not all_positive:
        exponent = torch.where(newest.is_positive, exponent, gamma)
    pushed = previous.log().mul_(exponent).exp_()  # a power, several times faster
    # Opposite certainty at the click leaves nothing to push: a cone takes its place.
    is_opposite = at_click == torch.where(newest.is_positive, 0.0, 1.0)
    if not _all_and_any(is_opposite)[1]:
        return pushed
    distance = squared_distance.sqrt()
    reach = torch.where(window, distance, 0).amax((1, 2), keepdim=True).clamp_min(1e-9)
    slope = (distance / reach).float()
    cone = torch.where(newest.is_positive, 1 - slope, slope)
    return torch.where(is_opposite, cone, pushed)


def _all_and_any(condition: Tensor) -> tuple[bool, bool]:
    """Whether a branch can be left out; on a GPU never, which then need not be waited for."""
    if condition.is_cuda:
        return False, True
    return bool(condition.all()), bool(condition.any())


def _gamma_at_click(at_click: Tensor, is_positive: Tensor) -> Tensor:
    """The gamma that moves the value at the click to its target, 1 where it is there already."""
    log_p = at_click.clamp(1e-300, 1).log()  # 0 at p = 1, where neither formula is used
    log_positive = torch.tensor(_POSITIVE_TARGET, dtype=torch.float64).log()
    log_negative = torch.tensor(_NEGATIVE_TARGET, dtype=torch.float64).log()
    positive = 1 / (log_positive / log_p + _LOG_EPSILON)
    negative = log_negative / log_p
    positive = torch.where((at_click > 0) & (at_click < _POSITIVE_TARGET), positive, 1.0)
    negative = torch.where((at_click > _NEGATIVE_TARGET) & (at_click < 1), negative, 1.0)
    return torch.where(is_positive, positive, negative)


def _early_share(squared: Tensor, window: Tensor) -> Tensor:
    """How much of the click's gamma each pixel gets.

    All of it at probabilities like the click's, nothing at those further from it than the
    window's median.
    """
    median = _lower_median(squared, window).clamp_min(1e-38)  # at 0 only equals get their share
    return (squared / median).neg_().add_(1).clamp_min_(0) ** 3


def _lower_median(values: Tensor, window: Tensor) -> Tensor:
    """Each sample's median inside its window, the lower of two middle values, `[B, 1, 1]`."""
    if values.is_cuda:
        inside = torch.where(window, values, torch.nan).flatten(1)
        return inside.nanmedian(dim=1).values[:, None, None].nan_to_num(0)
    samples = [row[mask] for row, mask in zip(values.numpy(), window.numpy(), strict=True)]
    medians = [
        np.partition(sample, middle := (sample.size - 1) // 2)[middle] if sample.size else 0.0
        for sample in samples
    ]
    return torch.tensor(np.array(medians), dtype=values.dtype)[:, None, None]


def _value_at(maps: Tensor, x: Tensor, y: Tensor, height: int, width: int) -> Tensor:
    """The maps' values at the truncated click positions, `[B, 1, 1]`."""
    row = y.long().clamp(0, height - 1)
    column = x.long().clamp(0, width - 1)
    return maps.flatten(1).gather(1, (row * width + column)[:, 0])[:, :, None]


def _stamp(modulated: Tensor, newest: _Newest) -> Tensor:
    """Set the pixel at each rounded click position to 1 (positive) or 0 (negative)."""
    height, width = modulated.shape[-2:]
    row = newest.y.round().long().clamp(0, height - 1)
    column = newest.x.round().long().clamp(0, width - 1)
    index = (row * width + column)[:, 0]
    flat = modulated.flatten(1)
    stamp = torch.where(newest.exists, newest.is_positive.float(), 0)[:, 0]
    value = torch.where(newest.exists[:, 0], stamp, flat.gather(1, index))
    return flat.scatter(1, index, value).view_as(modulated)
