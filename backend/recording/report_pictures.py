"""The pictures of the report: two plots, and the shapes that the first answer got wrong."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from backend.recording.recorded_objects import RecordedObject
from mfp_model.drawing import draw_dot, figure_png, png
from mfp_model.masks.bounds import Bounds, bounds_of

_N_CLICKS = 8  # in the plots
_N_VERSIONS = 8  # of their own curve: the newest
_TILE_PX = 240
_MARGIN = 0.35  # around an object, of its longer side
_MIN_MARGIN_PX = 12
_WASHED = 0.35  # how much of a colour lies over a photo
_POSITIVE, _NEGATIVE = (30, 160, 60), (0, 0, 0)
_KEPT, _MISSED, _EXCESS = (150, 150, 150), (220, 60, 60), (60, 110, 220)


def clicks_plot(objects: Sequence[RecordedObject]) -> bytes | None:
    """Return how many clicks saved objects took, as PNG; None where nothing is saved."""
    saved = [clicked for clicked in objects if clicked.final is not None]
    if not saved:
        return None
    kinds = {
        "new objects": [len(clicked.clicks) for clicked in saved if clicked.prior is None],
        "edited masks": [len(clicked.clicks) for clicked in saved if clicked.prior is not None],
    }
    figure = _figure()
    axes = figure.subplots()
    width = 0.4
    for shift, (name, n_clicks) in zip((-width / 2, width / 2), kinds.items(), strict=True):
        counts = np.bincount([min(n, _N_CLICKS) for n in n_clicks], minlength=_N_CLICKS + 1)[1:]
        axes.bar(np.arange(1, _N_CLICKS + 1) + shift, counts, width, label=name)
    names = [str(n) for n in range(1, _N_CLICKS)] + [f"{_N_CLICKS} or more"]
    axes.set_xticks(range(1, _N_CLICKS + 1), names)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="clicks", ylabel="objects")
    axes.set_ylim(bottom=0)
    axes.legend()
    return _png(figure)


def ious_plot(objects: Sequence[RecordedObject]) -> bytes | None:
    """Return how good the answers were that led to what is saved, as PNG; None as above.

    An object that is done keeps its last value.
    """
    by_version = _by_version(objects)
    if not by_version:
        return None
    figure = _figure()
    axes = figure.subplots()
    lowest = 1.0
    for version, curves in by_version.items():
        filled = [(curve + curve[-1:] * _N_CLICKS)[:_N_CLICKS] for curve in curves]
        mean = np.mean(filled, axis=0)
        lowest = min(lowest, float(mean.min()))
        axes.plot(range(1, _N_CLICKS + 1), mean, marker="o", label=f"{version} ({len(curves)})")
    axes.set(xlabel="answer", ylabel="mean IoU with what was saved")
    axes.set_ylim(max(0.0, min(0.9, lowest - 0.03)), 1.005)
    axes.legend(title="version (objects)", loc="lower right")
    return _png(figure)


def _by_version(objects: Sequence[RecordedObject]) -> dict[str, list[list[float]]]:
    """How good the answers to objects were, by version; those of older versions together."""
    by_version: dict[str, list[list[float]]] = {}
    for clicked in objects:
        if clicked.final is not None:
            by_version.setdefault(clicked.version, []).append(clicked.ious())
    names = [*by_version]  # in the order of their first objects
    if len(names) <= _N_VERSIONS:
        return by_version
    older = [curve for name in names[:-_N_VERSIONS] for curve in by_version[name]]
    newest = {name: by_version[name] for name in names[-_N_VERSIONS:]}
    return {"older ones": older, **newest}


def object_picture(clicked: RecordedObject, image: NDArray[np.uint8] | None) -> bytes:
    """Return an object that is saved with its first answer and its clicks, as PNG.

    Args:
        clicked: The object.
        image: Its image, RGB uint8 `[H, W, 3]`; None for shapes alone.
    """
    assert clicked.final is not None
    final, first = clicked.final.runs.mask(), clicked.answers[0].mask.runs.mask()
    box = _around(final | first)
    shapes = np.full((box.height, box.width, 3), 255, np.uint8)
    background = shapes.copy() if image is None else image[box.place].copy()
    strength = 1.0 if image is None else _WASHED
    final, first = final[box.place], first[box.place]
    for mask, colour in (
        (final & first, _KEPT if image is None else None),
        (final & ~first, _MISSED),
        (first & ~final, _EXCESS),
    ):
        if colour is not None:
            mixed = (1 - strength) * background[mask] + strength * np.array(colour)
            background[mask] = mixed.astype(np.uint8)
    scale = _TILE_PX / max(box.width, box.height)
    size = (max(1, round(box.width * scale)), max(1, round(box.height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(background, size, interpolation=method)
    tile: NDArray[np.uint8] = np.ascontiguousarray(resized, dtype=np.uint8)
    for mask, colour in ((final, _KEPT), (first, _EXCESS)) if image is not None else ():
        small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(small, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(tile, outlines, -1, colour, 1)
    _draw_clicks(tile, clicked, box, scale)
    return png(tile)


def _around(mask: NDArray[np.bool_]) -> Bounds:
    """What is shown of an image: the mask and some of what lies around it."""
    height, width = mask.shape
    bounds = bounds_of(mask) or Bounds(0, 0, width, height)
    margin = max(_MIN_MARGIN_PX, round(_MARGIN * max(bounds.width, bounds.height)))
    return Bounds(
        max(0, bounds.left - margin),
        max(0, bounds.top - margin),
        min(width, bounds.right + margin),
        min(height, bounds.bottom + margin),
    )


def _draw_clicks(
    tile: NDArray[np.uint8], clicked: RecordedObject, box: Bounds, scale: float
) -> None:
    for number, click in enumerate(clicked.clicks, start=1):
        centre = (int((click.x - box.left) * scale), int((click.y - box.top) * scale))
        colour = _POSITIVE if click.is_positive else _NEGATIVE
        draw_dot(tile, *centre, colour=colour, radius_px=4)
        place, font = (centre[0] + 6, centre[1] - 4), cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(tile, str(number), place, font, 0.45, (255, 255, 255), 3, cv2.LINE_AA)
        cv2.putText(tile, str(number), place, font, 0.45, _NEGATIVE, 1, cv2.LINE_AA)


def _figure() -> Figure:
    return Figure(figsize=(6, 3.2), dpi=120, layout="constrained")


def _png(figure: Figure) -> bytes:
    for axes in figure.axes:
        axes.grid(alpha=0.3)
    return figure_png(figure)
