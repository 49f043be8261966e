"""A mask that is there already, changed around the clicks and nowhere else.

The mask, as a map of zeros and ones, is the first round's previous probability map. A round's
answer then counts only near its click: in the part of the changes of the click's sign that the
click lies in, and around the click as far as that part reaches. Each click that changes something
makes the next one reach further, and from the second on the changes of both signs around it count:
one click says that something is missing here, several that the mask is wrong all over. So a click
on a missing limb brings the limb, two on the rims of a mask that was shifted move it, and a fine
outline far from the clicks stays pixel by pixel as somebody drew it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.frames.crops import clicks_to_network, mask_to_network
from mfp_model.frames.layered_map import LayeredMap
from mfp_model.frames.thresholding import runs_above
from mfp_model.frames.window import Window
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import MASK_THRESHOLD
from mfp_model.prompts import Click

_REACH = 1.0  # of the way from the click to the far end of its part, for each edit
_NEAR_PX = 12  # of the network frame: a click so near to a change means it
_JOIN_PX = 5  # the change's rim, which falls between the network's cells


def previous_map(
    layers: LayeredMap, current: MaskRuns, window: Window, size: int
) -> NDArray[np.float32]:
    """Return the previous map of a round in the network frame, float32 `[size, size]`.

    The probabilities of the last round where they agree with the mask, else the mask itself.

    Args:
        layers: What was looked at so far.
        current: The mask so far.
        window: What is looked at now.
        size: Side of the network's input.
    """
    mask = mask_to_network(current, window, size)
    if not layers.layers:
        return mask
    previous_values = layers.resampled(window, size)
    return np.where(
        (previous_values > MASK_THRESHOLD) == (mask > MASK_THRESHOLD), previous_values, mask
    )


def edited(
    current: MaskRuns,
    layers: LayeredMap,
    window: Window,
    *,
    click: tuple[float, float, bool],
    n_edits: int,
) -> MaskRuns | None:
    """Return the mask after a round, None where it stays as it is.

    Args:
        current: The mask before it.
        layers: The round's answer is the topmost.
        window: The window that was looked at.
        click: The newest one, x, y, is_positive, network frame of the window.
        n_edits: Earlier clicks that changed the mask.
    """
    answer = layers.layers[-1].values
    before = mask_to_network(current, window, len(answer)) > MASK_THRESHOLD
    changed = (answer > MASK_THRESHOLD) != before
    wanted = changed & (before != click[2])
    near = _near(wanted, changed if n_edits else wanted, click, reach=_REACH * (n_edits + 1))
    if near is None:
        return None
    frame = LayeredMap(height=layers.height, width=layers.width)
    place, said = (
        runs_above(frame.pasted(window, values.astype(np.float32)), MASK_THRESHOLD)
        for values in (near, answer)
    )
    if n_edits:
        return current.minus(place).union(said.intersection(place))
    return current.union(said.intersection(place)) if click[2] else current.minus(place.minus(said))


def obeying(current: MaskRuns, layers: LayeredMap, click: Click) -> MaskRuns:
    """Return a mask in which the newest click's pixel is on its side.

    A speck or a hole may be smaller than a cell of the network's map, which then shows no change.
    What the click lies on there changes sides with it.

    Args:
        current: The mask after the round.
        layers: The round's answer is the topmost; it obeys the click.
        click: The newest one, image frame.
    """
    if (current.index_under(click) is not None) == click.is_positive:
        return current
    window, values = layers.layers[-1].window, layers.layers[-1].values
    frame = LayeredMap(height=layers.height, width=layers.width)
    row, column = click.pixel(height=layers.height, width=layers.width)
    around = _cells_around(Click(x=column + 0.5, y=row + 0.5), window, len(values))
    said, near = (
        runs_above(frame.pasted(window, shown), MASK_THRESHOLD) for shown in (values, around)
    )
    differs = said.minus(current) if click.is_positive else current.minus(said)
    differs = differs.intersection(near)
    index = differs.index_under(click)
    if index is None:
        return current
    labels = differs.parts()
    part = differs.chosen(labels == labels[index])
    return current.union(part) if click.is_positive else current.minus(part)


def _cells_around(click: Click, window: Window, size: int) -> NDArray[np.float32]:
    """The cells around a click, float32 `[size, size]`, 0 or 1."""
    ((x, y, _),) = clicks_to_network((click,), window, size)
    cells = np.zeros((size, size), dtype=np.float32)
    row, column = (max(0, int(place) - _JOIN_PX // 2) for place in (y, x))
    cells[row : row + _JOIN_PX, column : column + _JOIN_PX] = 1
    return cells


def _near(
    wanted: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    click: tuple[float, float, bool],
    *,
    reach: float,
) -> NDArray[np.bool_] | None:
    """Where the answer counts, bool `[S, S]`, or None where nothing wanted is near the click."""
    x, y, _ = click
    _, parts = cv2.connectedComponents(wanted.astype(np.uint8), connectivity=8)
    rows, columns = np.indices(wanted.shape)
    distance = np.hypot(rows + 0.5 - y, columns + 0.5 - x)
    nearest = np.where(wanted, distance, np.inf).argmin()
    if not wanted.any() or distance.flat[nearest] > _NEAR_PX:
        return None
    part = parts == parts.flat[nearest]
    near = part | (taken & (distance <= reach * distance[part].max()))
    kernel = np.ones((_JOIN_PX, _JOIN_PX), dtype=np.uint8)
    return np.asarray(cv2.dilate(near.astype(np.uint8), kernel) > 0)
