"""The prompts of a request -> those of each object.

The page sends all prompts since the last acceptance together. They are one object, but where
people work with Auto-Accept on: there each click is meant as an object of its own, and prompts come
together only where they were placed faster than they were answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from backend.answering.answered_object import AnsweredObject
from backend.label_studio.region_request import PlacedPrompt, RegionRequest
from mfp_model.prompts import Box

_TOGETHER_S = 15.0  # a box that is still sent after this time was left behind


def split(
    region: RegionRequest, answered: Iterable[AnsweredObject], now: float
) -> list[RegionRequest]:
    """Return one request for each object.

    A box is an object of its own. Of several boxes the newest counts; with Auto-Accept those before
    it as well that were answered just now, since the page did not show these answers.

    Args:
        region: What the page sends.
        answered: What was answered for the task.
        now: Seconds since 1970.
    """
    *earlier, newest = region.placed
    if isinstance(newest.prompt, Box):
        fresh = {
            name
            for answered_object in answered
            if now - answered_object.at < _TOGETHER_S
            for name in answered_object.open_ids
        }
        boxes = [
            placed for placed in earlier if isinstance(placed.prompt, Box) and placed.id in fresh
        ]
        together = [*boxes, newest] if region.control.auto_accept else [newest]
        groups: list[tuple[PlacedPrompt, ...]] = [(placed,) for placed in together]
    else:
        clicks = tuple(placed for placed in region.placed if not isinstance(placed.prompt, Box))
        is_auto = region.control.auto_accept
        groups = _by_object(_without_spent(clicks, answered)) if is_auto else [clicks]
    return [replace(region, placed=group) for group in groups]


def _without_spent(
    clicks: tuple[PlacedPrompt, ...], answered: Iterable[AnsweredObject]
) -> tuple[PlacedPrompt, ...]:
    """The clicks without earlier ones that took a mask away whole, which the page does not show."""
    spent = {
        name
        for answered_object in answered
        if not answered_object.shown.rows.size
        for name in answered_object.open_ids
    }
    *earlier, newest = clicks
    return (*(placed for placed in earlier if placed.id not in spent), newest)


def _by_object(clicks: tuple[PlacedPrompt, ...]) -> list[tuple[PlacedPrompt, ...]]:
    """A click without Alt begins an object, but where a mask is selected that it adds to."""
    groups: list[tuple[PlacedPrompt, ...]] = []
    for click in clicks:
        goes_on = not click.prompt.is_positive or click.is_beside_selected
        if groups and goes_on and click.is_beside_selected == groups[-1][-1].is_beside_selected:
            groups[-1] = (*groups[-1], click)
        else:
            groups.append((click,))
    return groups
