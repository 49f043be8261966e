"""Zoom-in: which window of the image the network looks at in a round.

Source: the published evaluation. Three points differ. The newest click, of either sign, always
lies in the window, so that no click is without effect. And a window whose edge cuts the mask is not
kept: the published rule keeps it for ever, because a window grown by 1.4 on both sides has an IoU
of 0.51 with the one before. And where somebody clicks on the image's border, the window reaches
over it, so that the network sees all of the click's disk and the image mirrored behind its edge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from mfp_model.frames.layered_map import LayeredMap
from mfp_model.frames.window import Window, whole
from mfp_model.masks.bounds import rectangle_iou
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import MASK_THRESHOLD, Prediction
from mfp_model.prompts import Box, Click

_EXPANSION = 1.4
_MIN_SIDE_PX = 96  # the published evaluation has 200
_MIN_EDITED_SIDE_PX = 80
_KEEP_IOU = 0.5
_MARGIN = 0.125  # of a window's side, how far it reaches over the image's border
_NEAR_BORDER = 0.04  # of a window's side: a click so near to the border lies on it


def next_zoom(previous: Prediction, clicks: tuple[Click, ...]) -> Window | None:
    """Return the window for a later click: the previous one while it serves, else a new one.

    None for the whole image, where nothing is segmented yet.
    """
    wanted = zoom_window(previous.layers, clicks)
    kept = previous.zoom
    if wanted is None or kept is None:
        return wanted
    frame = _frame(previous.layers)
    has_all = all(_has(kept, click, frame) for click in clicks if click.is_positive)
    if not has_all or not _has(kept, clicks[-1], frame) or not fits(kept, wanted):
        return wanted
    return wanted if _is_cut(previous.layers, kept) else kept


def box_window(box: Box, *, height: int, width: int) -> Window:
    """Return the window for what lies in a box."""
    inside = Window(
        left=min(int(box.left), width - 1),
        top=min(int(box.top), height - 1),
        right=min(width, max(int(box.left) + 1, math.ceil(box.right))),
        bottom=min(height, max(int(box.top) + 1, math.ceil(box.bottom))),
    )
    return _around(inside, (), whole(height, width))


def fits(window: Window, wanted: Window) -> bool:
    """Return whether a window serves as well as the one that is wanted."""
    return rectangle_iou(window, wanted) >= _KEEP_IOU


def over_border(window: Window, clicks: Iterable[Click], *, height: int, width: int) -> Window:
    """Return the window, reaching over those of the image's borders that a click lies on."""
    near_x, near_y = _NEAR_BORDER * window.width, _NEAR_BORDER * window.height
    clicks = tuple(clicks)
    more_x, more_y = math.ceil(_MARGIN * window.width), math.ceil(_MARGIN * window.height)
    is_left = window.left == 0 and any(click.x < near_x for click in clicks)
    is_top = window.top == 0 and any(click.y < near_y for click in clicks)
    is_right = window.right == width and any(width - click.x < near_x for click in clicks)
    is_bottom = window.bottom == height and any(height - click.y < near_y for click in clicks)
    return Window(
        left=window.left - more_x * is_left,
        top=window.top - more_y * is_top,
        right=window.right + more_x * is_right,
        bottom=window.bottom + more_y * is_bottom,
    )


def editing_zoom(mask: MaskRuns, clicks: tuple[Click, ...]) -> Window:
    """Return the window for a click that edits a mask, the whole image for one without a pixel.

    Where the mask is known a small one is looked at more closely than one that is not.
    """
    frame = whole(mask.height, mask.width)
    bounds = mask.bounds()
    if bounds is None:
        return frame
    mask_window = Window(**bounds._asdict())
    return _around(mask_window, clicks, frame, min_side=_MIN_EDITED_SIDE_PX)


def zoom_window(layers: LayeredMap, clicks: tuple[Click, ...]) -> Window | None:
    """Return the window to look at next: mask, positive clicks and newest click, expanded.

    None, for the whole image, where nothing is segmented yet.
    """
    mask = layers.bounds_above(MASK_THRESHOLD)
    return None if mask is None else _around(mask, clicks, _frame(layers))


def _has(window: Window, click: Click, frame: Window) -> bool:
    """Whether the pixel that was clicked lies in a window."""
    row, column = click.pixel(height=frame.height, width=frame.width)
    return window.left <= column < window.right and window.top <= row < window.bottom


def _around(
    mask: Window, clicks: tuple[Click, ...], frame: Window, *, min_side: int = _MIN_SIDE_PX
) -> Window:
    inside = [click for click in clicks if click.is_positive] + list(clicks[-1:])
    left = min([mask.left, *(int(click.x) for click in inside)])
    top = min([mask.top, *(int(click.y) for click in inside)])
    right = max([mask.right, *(int(click.x) + 1 for click in inside)])
    bottom = max([mask.bottom, *(int(click.y) + 1 for click in inside)])
    x_start, x_stop = _expanded(left, right, frame.width, min_side)
    y_start, y_stop = _expanded(top, bottom, frame.height, min_side)
    return Window(left=x_start, top=y_start, right=x_stop, bottom=y_stop)


def _expanded(start: int, stop: int, limit: int, min_side: int) -> tuple[int, int]:
    side = max(_EXPANSION * (stop - start), min_side)
    centre = (start + stop) / 2
    return max(0, round(centre - side / 2)), min(limit, round(centre + side / 2))


def _is_cut(layers: LayeredMap, window: Window) -> bool:
    """Whether the mask reaches an edge of the window behind which the image goes on."""
    mask = layers.bounds_above(MASK_THRESHOLD)
    if mask is None:
        return False
    frame = _frame(layers)
    starts = ((mask.left, window.left, frame.left), (mask.top, window.top, frame.top))
    stops = ((mask.right, window.right, frame.right), (mask.bottom, window.bottom, frame.bottom))
    return any(m <= b and b > f for m, b, f in starts) or any(m >= b and b < f for m, b, f in stops)


def _frame(layers: LayeredMap) -> Window:
    return whole(layers.height, layers.width)
