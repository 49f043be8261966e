"""Points and boxes that ask for all objects like this one."""

from __future__ import annotations

from backend.label_studio.label_config import LabelConfig
from backend.label_studio.points import Point, is_box, labels_of_point
from backend.label_studio.region_request import is_negative


def without_alike(points: list[Point], config: LabelConfig) -> tuple[list[Point], bool]:
    """Return the points under the label that they mean, and whether all like this is asked for.

    Args:
        points: As the page sends them, oldest first.
        config: Of the task, whose labels may have the attribute `alike`.
    """
    newest = labels_of_point(points[-1]) if points else ()
    if not any(label in config.alike for label in newest):
        return points, False
    return [_meant(point, config) for point in points], True


def _meant(point: Point, config: LabelConfig) -> Point:
    """A point of no control, whose label is the one that objects get; it means what it did."""
    labels = [config.alike.get(label, label) for label in labels_of_point(point)]
    kind = "rectanglelabels" if is_box(point) else "keypointlabels"
    value = {
        **{name: part for name, part in point["value"].items() if not name.endswith("labels")},
        kind: labels,
    }
    meant = {**point, "from_name": "", "type": kind, "value": value}
    return {**meant, "is_positive": False} if is_negative(point, config) else meant
