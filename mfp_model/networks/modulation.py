"""Modulation: push the previous probability map towards the newest click around it.

Source: MFP, section 3.2 and the supplement; numbers follow the published implementation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mfp_model.errors import ConfigError, check_choice
from mfp_model.names import CURVES, DISTANCES
from mfp_model.networks.click_window import (
    MIN_RADIUS,
    ClickWindow,
    NewestClick,
    click_window,
    newest_click,
)

_POSITIVE_TARGET = 0.99  # value wanted at a positive click
_NEGATIVE_TARGET = 0.01  # value wanted at a negative click
_LOG_EPSILON = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulationConfig:
    """Constants of the modulation.

    Attributes:
        n_early_clicks: Clicks with an index below this use the probability distance, later
            ones the Euclidean distance (N in the paper), >= 0.
        max_radius: Window radius in pixels of the network frame while no click of the
            opposite sign exists (R_max), >= 10.
        distance: What makes pixels alike for early clicks: `probability`, or `rgb`, the
            squared difference of colours.
        curve: How values are pushed. `gamma` is the published correction, f3. The supplement
            shows two others as drawings only, defined here so: `linear`, f1, two straight
            lines that lead 0 to 0, the click's value to its target and 1 to 1; `bounded`, f2,
            adds what the click's value lacks and goes no further than its target.

    Raises:
        ConfigError: A value outside its range.
    """

    n_early_clicks: int = 7
    max_radius: float = 100.0
    distance: str = "probability"
    curve: str = "gamma"

    def __post_init__(self) -> None:
        if self.n_early_clicks < 0:
            raise ConfigError(f"n_early_clicks={self.n_early_clicks}: expected >= 0")
        if not self.max_radius >= MIN_RADIUS:
            raise ConfigError(f"max_radius={self.max_radius}: expected >= {MIN_RADIUS}")
        check_choice("distance", self.distance, DISTANCES)
        check_choice("curve", self.curve, CURVES)


def modulate(
    probability: Tensor,
    clicks: Tensor,
    config: ModulationConfig | None = None,
    *,
    image: Tensor | None = None,
) -> Tensor:
    """Return the modulated probability maps float32 `[B, H, W]`, always finite, in 0..1.

    Each sample is treated alone; one without clicks comes back unchanged. Where the published
    implementation divides zero by zero (every pixel of the window as probable as the click, or
    their median so: a positive click inside a binary mask, a constant map), the limit is taken
    that applies the full gamma to pixels exactly as probable as the click and none elsewhere.

    Args:
        probability: Previous probability maps float `[B, H, W]` in 0..1, network frame.
        clicks: Click tensor `[B, N, 3]`, oldest first, see `mfp_model.networks.click_map`.
        config: Constants; the published ones by default.
        image: RGB float `[B, 3, H, W]` in 0..1, for `distance="rgb"`.

    Raises:
        ConfigError: `distance="rgb"` without an image.

    Source: MFP, Eq. 4-9. The published implementation computes in float64; here what is
    per sample does, what is per pixel is float32, within 1e-6 of it at a third of the time.
    """
    config = config or ModulationConfig()
    if config.distance == "rgb" and image is None:
        raise ConfigError("modulation distance='rgb': expected an image, got none")
    height, width = probability.shape[-2:]
    newest = newest_click(clicks)
    window = click_window(clicks, newest, height=height, width=width, max_radius=config.max_radius)
    previous = probability[:, window.rows, window.columns].float()
    at_click = _value_at(probability[:, None], newest)[:, 0].double()
    likeness = previous[:, None], at_click[:, None].float()
    if config.distance == "rgb" and image is not None:
        likeness = image[:, :, window.rows, window.columns].float(), _value_at(image, newest)
    share = _share(likeness, window, newest, config)
    pushed = _pushed(previous, at_click, share, newest, config.curve)
    pushed = _with_cones(pushed, at_click, window, newest)
    modulated = probability.float().clone()
    modulated[:, window.rows, window.columns] = torch.where(window.inside, pushed, previous)
    return _stamp(modulated, newest)


def _share(
    likeness: tuple[Tensor, Tensor],
    window: ClickWindow,
    newest: NewestClick,
    config: ModulationConfig,
) -> Tensor:
    """How much of the click's push each pixel gets, float32 `[B, h, w]` in 0..1 in the window.

    By likeness (pixels `[B, C, h, w]`, at the click `[B, C, 1, 1]`) for early clicks, by the
    Euclidean distance for later ones.
    """
    is_early = newest.index < config.n_early_clicks
    all_early, any_early = _all_and_any(is_early)
    if any_early:
        pixels, at_click = likeness
        share = _likeness_share(((pixels - at_click) ** 2).sum(dim=1), window.inside)
    if not all_early:
        late = 1 - (window.squared_distance.sqrt() / window.radius).float()
        share = torch.where(is_early, share, late) if any_early else late
    return share.clamp_min_(0)


def _pushed(
    previous: Tensor, at_click: Tensor, share: Tensor, newest: NewestClick, curve: str
) -> Tensor:
    """The window's new values; what lies outside the window is arbitrary."""
    if curve == "gamma":
        return _gamma_corrected(previous, at_click, share, newest)
    target = torch.where(newest.is_positive, _POSITIVE_TARGET, _NEGATIVE_TARGET)
    is_reached = torch.where(newest.is_positive, at_click >= target, at_click <= target)
    target = torch.where(is_reached, at_click, target).float()
    start = at_click.float()
    if curve == "bounded":
        moved = previous + share * (target - start)
        # No further than the value wanted at the click, and never back.
        raised = torch.maximum(previous, torch.minimum(moved, target))
        lowered = torch.minimum(previous, torch.maximum(moved, target))
        return torch.where(newest.is_positive, raised, lowered)
    below = previous * (target / start.clamp_min(1e-12))
    above = 1 - (1 - previous) * ((1 - target) / (1 - start).clamp_min(1e-12))
    line = torch.where(previous <= start, below, above)
    return torch.lerp(previous, line, share.clamp_max(1)).clamp(0, 1)


def _gamma_corrected(
    previous: Tensor, at_click: Tensor, share: Tensor, newest: NewestClick
) -> Tensor:
    gamma = share * (_gamma_at_click(at_click, newest.is_positive) - 1).float() + 1
    all_positive, any_positive = _all_and_any(newest.is_positive)
    exponent = gamma.reciprocal() if any_positive else gamma
    if any_positive and not all_positive:
        exponent = torch.where(newest.is_positive, exponent, gamma)
    return previous.log().mul_(exponent).exp_()  # a power, several times faster


def _with_cones(
    pushed: Tensor, at_click: Tensor, window: ClickWindow, newest: NewestClick
) -> Tensor:
    """Opposite certainty at the click leaves nothing to push: a cone takes its place."""
    is_opposite = at_click == torch.where(newest.is_positive, 0.0, 1.0)
    if not _all_and_any(is_opposite)[1]:
        return pushed
    distance = window.squared_distance.sqrt()
    reach = torch.where(window.inside, distance, 0).amax((1, 2), keepdim=True).clamp_min(1e-9)
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


def _likeness_share(squared: Tensor, inside: Tensor) -> Tensor:
    """All of it where a pixel is like the clicked one, nothing further off than the median."""
    median = _lower_median(squared, inside).clamp_min(1e-38)  # at 0 only equals get their share
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


def _value_at(maps: Tensor, newest: NewestClick) -> Tensor:
    """The values of maps `[B, C, H, W]` at the truncated click positions, `[B, C, 1, 1]`."""
    height, width = maps.shape[-2:]
    row = newest.y.long().clamp(0, height - 1)
    column = newest.x.long().clamp(0, width - 1)
    index = (row * width + column).expand(-1, maps.shape[1], 1)
    return maps.flatten(2).gather(2, index)[..., None]


def _stamp(modulated: Tensor, newest: NewestClick) -> Tensor:
    """Set the pixel at each rounded click position to 1 (positive) or 0 (negative)."""
    height, width = modulated.shape[-2:]
    row = newest.y.round().long().clamp(0, height - 1)
    column = newest.x.round().long().clamp(0, width - 1)
    index = (row * width + column)[:, 0]
    flat = modulated.flatten(1)
    stamp = torch.where(newest.exists, newest.is_positive.float(), 0)[:, 0]
    value = torch.where(newest.exists[:, 0], stamp, flat.gather(1, index))
    return flat.scatter(1, index, value).view_as(modulated)
