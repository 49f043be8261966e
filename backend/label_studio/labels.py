"""The labels of a control: those that its configuration lists, and those that a task brings."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from backend.label_studio.task_values import list_at

_MAX_LABELS = 10_000  # of a control


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One of them.

    Attributes:
        value: Its text.
        alias: What results have in its place, empty for the value itself.
        seed: Its attribute `seed`, None where it has none.
        alike: Its attribute `alike`: the label that all objects get which look like what is
            clicked with this one; None where it has none.
    """

    value: str
    alias: str = ""
    seed: str | None = None
    alike: str | None = None

    @property
    def name(self) -> str:
        """What results have."""
        return self.alias or self.value


def takes_labels_of_tasks(tag: ET.Element) -> bool:
    """Return whether a control's labels come from the task."""
    return tag.tag.endswith("labels") and tag.get("value", "").startswith("$")


def generic_labels(root: ET.Element) -> dict[str, ET.Element]:
    """Return the `<Labels>` of each image, by the image's name."""
    return {name: tag for tag in root.iter("labels") for name in tag.get("toname", "").split(",")}


def labels_of(control: ET.Element, data: Mapping[str, Any]) -> tuple[Label, ...]:
    """Return the labels of a control, of which a task's stand behind the configuration's.

    Args:
        control: Its tag; any but a control of labels has none.
        data: The task's.
    """
    if not control.tag.endswith("labels"):
        return ()
    listed = [
        Label(
            value=tag.get("value", ""),
            alias=tag.get("alias", ""),
            seed=tag.get("seed"),
            alike=tag.get("alike"),
        )
        for tag in control.iter("label")
    ]
    brought = list_at(control.get("value", ""), data) if takes_labels_of_tasks(control) else []
    labels = [*listed, *_brought(brought)]
    return tuple(labels[:_MAX_LABELS])


def _brought(entries: list[Any]) -> Iterator[Label]:
    """A task's labels: texts, or objects with `value`, `alias` and further ones in `children`."""
    waiting = deque(entries)
    while waiting:
        entry = waiting.popleft()
        if isinstance(entry, str):
            yield Label(value=entry)
        elif isinstance(entry, dict):
            if isinstance(entry.get("value"), str):
                yield Label(value=entry["value"], alias=str(entry.get("alias") or ""))
            if isinstance(entry.get("children"), list):
                waiting += entry["children"]
