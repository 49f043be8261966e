"""Specks: parts and holes of a mask too small to be meant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mfp_model.masks.rle import stroke_mask
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Click, Prompt, Stroke, clicks_of, strokes_of

SPECK_SHARE = 0.005  # of the largest part


def remove_specks(
    runs: MaskRuns, prompts: Sequence[Prompt], *, share: float = SPECK_SHARE
) -> MaskRuns:
    """Return the mask without small parts and small holes; those with a click stay.

    Args:
        runs: The mask, image frame.
        prompts: In the image frame; a part under a positive click and a hole under a negative
            one were meant. Where a stroke was painted nothing changes.
        share: What is smaller than this share of the largest part goes; 0 keeps everything.
    """
    if share <= 0 or not runs.rows.size:
        return runs
    labels = runs.parts()
    return _cleaned(runs, labels, prompts, _limit(runs, labels, share))


def remove_new_specks(
    runs: MaskRuns, prior: MaskRuns, prompts: Sequence[Prompt], *, share: float = SPECK_SHARE
) -> MaskRuns:
    """Return the mask without the small parts and holes that its prior did not have.

    One limit holds for both: else a part far from all clicks would go when the largest one grows.

    Args:
        runs: A mask that was edited, image frame.
        prior: The mask before; a speck there may be somebody's work.
        prompts: As in `remove_specks`.
        share: As in `remove_specks`.
    """
    if share <= 0 or not runs.rows.size:
        return runs
    labels = runs.parts()
    limit = _limit(runs, labels, share)
    cleaned = _cleaned(runs, labels, prompts, limit)
    tidy = _cleaned(prior, prior.parts(), prompts, limit)
    parts = runs.minus(cleaned).minus(prior.minus(tidy))
    holes = cleaned.minus(runs).minus(tidy.minus(prior))
    return runs.minus(parts).union(holes)


def _limit(runs: MaskRuns, labels: NDArray[np.int64], share: float) -> float:
    """A share of the largest part's pixels."""
    return share * float(np.bincount(labels, weights=runs.lengths).max())


def _cleaned(
    runs: MaskRuns, labels: NDArray[np.int64], prompts: Sequence[Prompt], limit: float
) -> MaskRuns:
    """The mask without parts and holes of fewer pixels than the limit."""
    if not runs.rows.size:
        return runs
    clicks = clicks_of(prompts)
    areas = np.bincount(labels, weights=runs.lengths)
    keeps = (areas >= limit) | _clicked(runs, labels, clicks, sign=True)
    cleaned = runs.chosen(keeps[labels])
    cleaned = cleaned.union(_small_holes(cleaned, clicks, limit))
    return _with_strokes(cleaned, runs, strokes_of(prompts))


def _small_holes(runs: MaskRuns, clicks: Sequence[Click], limit: float) -> MaskRuns:
    """Holes with fewer pixels than the limit; what reaches the image's edge is none."""
    around = runs.inverse()
    labels = around.parts()
    areas = np.bincount(labels, weights=around.lengths)
    at_edge = (around.rows == 0) | (around.rows == runs.height - 1)
    at_edge |= (around.starts == 0) | (around.stops == runs.width)
    is_filled = (areas < limit) & ~_clicked(around, labels, clicks, sign=False)
    is_filled[labels[at_edge]] = False
    return around.chosen(is_filled[labels])


def _clicked(
    runs: MaskRuns, labels: NDArray[np.int64], clicks: Sequence[Click], *, sign: bool
) -> NDArray[np.bool_]:
    """Which parts have a click of this sign on them."""
    is_clicked = np.zeros(int(labels.max(initial=-1)) + 1, dtype=np.bool_)
    for click in clicks:
        index = runs.index_under(click)
        if click.is_positive == sign and index is not None:
            is_clicked[labels[index]] = True
    return is_clicked


def _with_strokes(cleaned: MaskRuns, runs: MaskRuns, strokes: Sequence[Stroke]) -> MaskRuns:
    """The cleaned mask, as it was where somebody painted."""
    if not strokes:
        return cleaned
    mask, before = cleaned.mask(), runs.mask()
    for stroke in strokes:
        painted = stroke_mask(stroke)
        mask[painted] = before[painted]
    return MaskRuns.of(mask)
