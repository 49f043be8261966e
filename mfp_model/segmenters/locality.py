"""What lies far from the newest click does not change against its sign.

A positive click says that something is missing, so it takes nothing away far from where it lies. A
negative one adds nothing there. Without this a click on one end of an object can cost it the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mfp_model.prediction import MASK_THRESHOLD
from mfp_model.segmenters.obedience import NetworkClick

_FAR = 0.15  # of the window's side


def kept_far(
    values: NDArray[np.float32], previous: NDArray[np.float32], newest: NetworkClick
) -> NDArray[np.float32]:
    """Return a round's probability map with the known values far from the click it contradicts.

    Args:
        values: Probabilities float32 `[S, S]` after the click, network frame.
        previous: Those before it.
        newest: The click.
    """
    x, y, is_positive = newest
    size = len(values)
    before, after = previous > MASK_THRESHOLD, values > MASK_THRESHOLD
    against = before & ~after if is_positive else after & ~before
    rows, columns = np.ogrid[:size, :size]
    is_far = (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 > (_FAR * size) ** 2
    return np.where(against & is_far, previous, values)
