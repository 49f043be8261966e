"""A mask that is there already, changed around the clicks and nowhere else.

The mask, as a map of zeros and ones, is the first round's previous probability map. A positive
click then only adds, a negative one only takes away, and only near it: in the part of the answer's
changes that the click lies in, and around the click as far as that part reaches, further with each
click that changes something. So a click on a missing limb brings the limb, one on the rim of a mask that is too small all
over moves a good deal of the rim, and a fine outline on the other side stays pixel by pixel as
somebody drew it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mfp_model.mask_runs import MaskRuns
from mfp_model.segmenters.prediction import MASK_THRESHOLD
from mfp_model.thresholding import runs_above
from mfp_model.transforms import Box, LayeredMap, mask_to_network

_REACH = 1.0  # of the way from the click to the far end of its part, for each edit
_NEAR_PX = 12  # of the network frame: a click so near to a change means it
_JOIN_PX = 5  # the change's rim, which falls between the network's cells


def previous_map(layers: LayeredMap, current: MaskRuns, box: Box, size: int) -> NDArray[np.float32]:
    """Return the previous map of a round in the network frame, float32 `[size, size]`.

    The probabilities of the last round where they agree with the mask, else the mask itself.

    Args:
        layers: What was looked at so far.
        current: The mask so far.
        box: What is looked at now.
        size: Side of the network's input.
    """
    mask = mask_to_network(current, box, size)
    if not layers.layers:
        return mask
    known = layers.resampled(box, size)
    return np.where((known > MASK_THRESHOLD) == (mask > MASK_THRESHOLD), known, mask)


def edited(
    current: MaskRuns,
    layers: LayeredMap,
    box: Box,
    *,
    click: tuple[float, float, bool],
    n_edits: int,
) -> MaskRuns | None:
    """Return the mask after a round, None where it stays as it is.

    Args:
        current: The mask before it.
        layers: The round's answer is the topmost.
        box: The box that was looked at.
        click: The newest one, x, y, is_positive, network frame of the box.
        n_edits: Earlier clicks that changed the mask.
    """
    answer = layers.layers[-1].values
    before = mask_to_network(current, box, len(answer)) > MASK_THRESHOLD
    wanted = ((answer > MASK_THRESHOLD) != before) & (before != click[2])
    near = _near(wanted, click, reach=_REACH * (n_edits + 1))
    if near is None:
        return None
    frame = LayeredMap(height=layers.height, width=layers.width)
    place, said = (
        runs_above(frame.pasted(box, values.astype(np.float32)), MASK_THRESHOLD)
        for values in (near, answer)
    )
    is_positive = click[2]
    return (
        current.union(said.intersection(place)) if is_positive else current.minus(place.minus(said))
    )


def _near(
    wanted: NDArray[np.bool_], click: tuple[float, float, bool], *, reach: float
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
    near = part | (wanted & (distance <= reach * distance[part].max()))
    kernel = np.ones((_JOIN_PX, _JOIN_PX), dtype=np.uint8)
    return np.asarray(cv2.dilate(near.astype(np.uint8), kernel) > 0)
