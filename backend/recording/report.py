"""How people clicked, as one HTML page: numbers by label and version, curves, what went wrong."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from backend.recording.objects import RecordedObject
from mfp_model.files import write_atomically

_N_WORST = 12
_N_CLICKS = 8  # in the plots
_TILE_PX = 220
_POSITIVE, _NEGATIVE = (30, 160, 60), (0, 0, 0)
_KEPT, _MISSED, _EXCESS = (150, 150, 150), (220, 60, 60), (60, 110, 220)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """What a group of objects came to.

    Attributes:
        name: The group's.
        n_objects: Objects that were clicked on.
        n_accepted: Those of them that were saved.
        n_edits: Those of them that began with a mask.
        clicks: Median clicks of the accepted ones.
        seconds: Their median seconds from the first answer to the last.
        accepted_after: Share of all objects that were accepted with 1, with up to 2 and with up
            to 3 clicks.
        first_iou: Mean IoU of the first answer with what was saved.
    """

    name: str
    n_objects: int
    n_accepted: int
    n_edits: int
    clicks: float
    seconds: float
    accepted_after: tuple[float, float, float]
    first_iou: float


def figures(name: str, objects: Sequence[RecordedObject]) -> GroupFigures:
    """Return the figures of a group of at least one object."""
    accepted = [clicked for clicked in objects if clicked.final is not None]
    clicks = [len(clicked.clicks) for clicked in accepted]
    first, second, third = (
        sum(n_clicks <= limit for n_clicks in clicks) / len(objects) for limit in (1, 2, 3)
    )
    return GroupFigures(
        name=name,
        n_objects=len(objects),
        n_accepted=len(accepted),
        n_edits=sum(clicked.prior is not None for clicked in objects),
        clicks=float(np.median(clicks)) if clicks else 0.0,
        seconds=float(np.median([clicked.seconds for clicked in accepted])) if accepted else 0.0,
        accepted_after=(first, second, third),
        first_iou=float(np.mean([_first_iou(clicked) for clicked in accepted]))
        if accepted
        else 0.0,
    )


def write_report(path: Path, objects: Sequence[RecordedObject], *, label_studio_url: str) -> None:
    """Write the page.

    Args:
        path: The file.
        objects: At least one.
        label_studio_url: For links to tasks; empty for none.
    """
    loader = PackageLoader("backend.recording", "templates")
    environment = Environment(loader=loader, autoescape=select_autoescape())
    begun = datetime.fromtimestamp(objects[0].answers[0].at, tz=UTC)
    page = environment.get_template("sessions.html").render(
        all=figures("all", objects),
        groups={
            "label": _grouped(objects, lambda clicked: clicked.label or "no label"),
            "model version": _grouped(objects, lambda clicked: clicked.version),
        },
        since=begun.date(),
        plots={
            "Clicks that accepted objects took": _embedded(_plot(objects, _draw_clicks)),
            "How good the answers were": _embedded(_plot(objects, _draw_ious)),
        },
        worst=[
            (clicked, _first_iou(clicked), _embedded(_picture(clicked)))
            for clicked in _worst(objects)
        ],
        dropped=sum(clicked.final is None for clicked in objects),
        url=label_studio_url,
    )
    write_atomically(path, page.encode())


def _grouped(
    objects: Sequence[RecordedObject], key: Callable[[RecordedObject], str]
) -> list[GroupFigures]:
    groups: dict[str, list[RecordedObject]] = {}
    for clicked in objects:
        groups.setdefault(key(clicked), []).append(clicked)
    grouped = [figures(name, group) for name, group in groups.items()]
    return sorted(grouped, key=lambda group: -group.n_objects)


def _worst(objects: Sequence[RecordedObject]) -> list[RecordedObject]:
    """Those whose first answer was furthest from what was saved."""
    accepted = [clicked for clicked in objects if clicked.final is not None]
    return sorted(accepted, key=_first_iou)[:_N_WORST]


def _first_iou(clicked: RecordedObject) -> float:
    assert clicked.final is not None
    return clicked.answers[0].mask.iou(clicked.final)


def _plot(
    objects: Sequence[RecordedObject], draw: Callable[[Axes, Sequence[RecordedObject]], None]
) -> bytes:
    figure = Figure(figsize=(6, 3.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    draw(axes, objects)
    axes.grid(alpha=0.3)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _draw_clicks(axes: Axes, objects: Sequence[RecordedObject]) -> None:
    kinds = {
        "new objects": [
            len(clicked.clicks) for clicked in objects if clicked.final and not clicked.prior
        ],
        "edited masks": [
            len(clicked.clicks) for clicked in objects if clicked.final and clicked.prior
        ],
    }
    width = 0.4
    for shift, (name, n_clicks) in zip((-width / 2, width / 2), kinds.items(), strict=True):
        counts = np.bincount([min(n, _N_CLICKS) for n in n_clicks], minlength=_N_CLICKS + 1)[1:]
        axes.bar(np.arange(1, _N_CLICKS + 1) + shift, counts, width, label=name)
    names = [str(n) for n in range(1, _N_CLICKS)] + [f"{_N_CLICKS} or more"]
    axes.set_xticks(range(1, _N_CLICKS + 1), names)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="clicks", ylabel="objects")
    axes.legend()


def _draw_ious(axes: Axes, objects: Sequence[RecordedObject]) -> None:
    """An object that is done keeps its last value."""
    by_version: dict[str, list[list[float]]] = {}
    for clicked in objects:
        if clicked.final is not None:
            by_version.setdefault(clicked.version, []).append(clicked.ious())
    for version, curves in by_version.items():
        filled = [(curve + curve[-1:] * _N_CLICKS)[:_N_CLICKS] for curve in curves]
        mean = np.mean(filled, axis=0)
        axes.plot(range(1, _N_CLICKS + 1), mean, marker="o", label=f"{version} ({len(curves)})")
    axes.set(xlabel="answer", ylabel="mean IoU with what was saved", ylim=(None, 1.0))
    if by_version:
        axes.legend(title="version (objects)", loc="lower right")


def _picture(clicked: RecordedObject) -> bytes:
    """Shapes only: what was saved and the first answer, and the clicks."""
    assert clicked.final is not None
    final, first = clicked.final.runs.mask(), clicked.answers[0].mask.runs.mask()
    picture = np.full((*final.shape, 3), 255, dtype=np.uint8)
    for mask, colour in (
        (final & first, _KEPT),
        (final & ~first, _MISSED),
        (first & ~final, _EXCESS),
    ):
        picture[mask] = colour
    scale = _TILE_PX / max(final.shape)
    size = (max(1, round(final.shape[1] * scale)), max(1, round(final.shape[0] * scale)))
    tile = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    for number, click in enumerate(clicked.clicks, start=1):
        centre = (int(click.x * scale), int(click.y * scale))
        colour = _POSITIVE if click.is_positive else _NEGATIVE
        cv2.circle(tile, centre, 4, colour, -1, cv2.LINE_AA)
        place, font = (centre[0] + 5, centre[1] - 3), cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(tile, str(number), place, font, 0.4, _NEGATIVE, 1, cv2.LINE_AA)
    encoded = cv2.imencode(".png", cv2.cvtColor(tile, cv2.COLOR_RGB2BGR))[1]
    return encoded.tobytes()


def _embedded(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
