"""The labels of a control: those that its configuration lists, and those that a task brings."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from backend.label_studio.config_xml import LabelConfigError
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


def aliases_of(
    tag: ET.Element, generic: Mapping[str, ET.Element], data: Mapping[str, Any]
) -> dict[str, str]:
    """Return label values by their aliases, of a control or of the `<Labels>` of its images."""
    images = tag.get("toname", "").split(",")
    holders = [tag, *(generic[image] for image in images if image in generic)]
    labels = (label for holder in holders for label in labels_of(holder, data))
    return {label.alias: label.value for label in reversed([*labels]) if label.alias}


def seeds_of(tag: ET.Element, data: Mapping[str, Any]) -> dict[str, bool]:
    """Return the labels that have the attribute `seed`, and whether they mean the object.

    Raises:
        LabelConfigError: The attribute is neither `object` nor `background`.
    """
    signs: dict[str, bool] = {}
    for label in labels_of(tag, data) if tag.tag == "brushlabels" else ():
        if label.seed not in (None, "object", "background"):
            raise LabelConfigError(f"label seed={label.seed!r:.40}: expected object or background")
        if label.seed is not None:
            signs |= dict.fromkeys((label.value, label.name), label.seed == "object")
    return signs
