"""How a photo that lies turned in its file is shown.

EXIF's orientation says how: 1 as it lies, 2 to 8 mirrored, turned, or both.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Value = TypeVar("_Value", bound=np.generic)

SIDEWAYS = (5, 6, 7, 8)  # those that make height of width

# By orientation: whether rows and columns change places, then what is mirrored.
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
_BACK = {6: 8, 8: 6}  # what undoes a quarter's turn; the others undo themselves


def turned(array: NDArray[_Value], orientation: int) -> NDArray[_Value]:
    """Return pixels or a mask `[H, W, ...]` as they are shown, where they lie as in the file.

    [[1, 2], [3, 4]], orientation 6 -> [[3, 1], [4, 2]]
    """
    is_transposed, upside_down, is_mirrored = _TURNS[orientation]
    if is_transposed:
        array = array.swapaxes(0, 1)
    return array[:: -1 if upside_down else 1, :: -1 if is_mirrored else 1]


def turned_back(array: NDArray[_Value], orientation: int) -> NDArray[_Value]:
    """Return pixels or a mask `[H, W, ...]` as they lie in the file, where they are as shown."""
    return turned(array, _BACK.get(orientation, orientation))


def turned_point(
    x: float, y: float, orientation: int, *, height: int, width: int
) -> tuple[float, float]:
    """Return where a place on a file's pixels is shown.

    Args:
        x: To the right, from 0 to `width`; a pixel's centre is at a half.
        y: Down, from 0 to `height`.
        orientation: EXIF's.
        height: Of the file's pixels as they lie.
        width: Likewise.
    """
    is_transposed, upside_down, is_mirrored = _TURNS[orientation]
    if is_transposed:
        x, y, height, width = y, x, width, height
    return (width - x if is_mirrored else x, height - y if upside_down else y)
