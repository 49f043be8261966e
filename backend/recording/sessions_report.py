"""How people clicked, as one HTML page: numbers by label and version, curves, what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from numpy.typing import NDArray

from backend.recording.recorded_objects import RecordedObject
from backend.recording.report_pictures import clicks_plot, ious_plot, object_picture
from mfp_model.drawing import png_address
from mfp_model.files import write_atomically

_N_WORST = 12
_GOOD_IOU = 0.97  # a first answer that is nothing to look at

# Returns an object's image, RGB uint8 `[H, W, 3]`, or None where it cannot be had.
ImageOf = Callable[[RecordedObject], NDArray[np.uint8] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """What a group of objects came to; None is what cannot be known before something is saved.

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
    clicks: float | None
    seconds: float | None
    accepted_after: tuple[float, float, float] | None
    first_iou: float | None


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
        clicks=float(np.median(clicks)) if clicks else None,
        seconds=float(np.median([clicked.seconds for clicked in accepted])) if accepted else None,
        accepted_after=(first, second, third) if accepted else None,
        first_iou=float(np.mean([_first_iou(clicked) for clicked in accepted]))
        if accepted
        else None,
    )


def write_report(
    path: Path,
    objects: Sequence[RecordedObject],
    *,
    label_studio_url: str,
    image_of: ImageOf = lambda clicked: None,
) -> None:
    """Write the page into a file; arguments as in `report_page`."""
    page = report_page(objects, label_studio_url=label_studio_url, image_of=image_of)
    write_atomically(path, page.encode())


def report_page(
    objects: Sequence[RecordedObject],
    *,
    label_studio_url: str,
    image_of: ImageOf = lambda clicked: None,
) -> str:
    """Return the page's HTML.

    Args:
        objects: At least one.
        label_studio_url: For links to tasks; empty for none.
        image_of: Gives the images of the objects that are shown.
    """
    loader = PackageLoader("backend.recording", "templates")
    environment = Environment(loader=loader, autoescape=select_autoescape())
    begun = datetime.fromtimestamp(objects[0].answers[0].at, tz=UTC)
    plots = {
        "Clicks that saved objects took": clicks_plot(objects),
        "How good the answers were": ious_plot(objects),
    }
    return environment.get_template("sessions.html").render(
        all=figures("all", objects),
        groups={
            "label": _grouped(objects, lambda clicked: clicked.label or "no label"),
            "model version": _grouped(objects, lambda clicked: clicked.version),
        },
        since=begun.date(),
        plots={name: png_address(picture) for name, picture in plots.items() if picture},
        worst=[
            (clicked, _first_iou(clicked), png_address(object_picture(clicked, image_of(clicked))))
            for clicked in _worst(objects)
        ],
        good_iou=_GOOD_IOU,
        dropped=sum(clicked.final is None for clicked in objects),
        url=label_studio_url,
    )


def _grouped(
    objects: Sequence[RecordedObject], key: Callable[[RecordedObject], str]
) -> list[GroupFigures]:
    groups: dict[str, list[RecordedObject]] = {}
    for clicked in objects:
        groups.setdefault(key(clicked), []).append(clicked)
    grouped = [figures(name, group) for name, group in groups.items()]
    return sorted(grouped, key=lambda group: -group.n_objects)


def _worst(objects: Sequence[RecordedObject]) -> list[RecordedObject]:
    """Those whose first answer was furthest from what was saved, and not good."""
    accepted = [clicked for clicked in objects if clicked.final is not None]
    wrong = [clicked for clicked in accepted if _first_iou(clicked) < _GOOD_IOU]
    return sorted(wrong, key=_first_iou)[:_N_WORST]


def _first_iou(clicked: RecordedObject) -> float:
    return clicked.ious()[0]
