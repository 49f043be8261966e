"""How much a label configuration makes of a task: what reading it takes grows with that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.labels import generic_labels, labels_of

_MAX_LABELS = 200_000  # of all controls, for each of their images anew
_MAX_CONTROLS = 4_000  # each for all of its images anew
_LETTERS_A_TAG = 100  # take about as long


def size_of(root: ET.Element, data: Mapping[str, Any]) -> int:
    """Return a configuration's number of tags and labels; a tag of many letters is several.

    Args:
        root: Its root, the names in lower case.
        data: The task's, which labels may come from.
    """
    n_letters = sum(len(value) for tag in root.iter() for value in tag.attrib.values())
    n_tags = sum(1 for _ in root.iter())
    return n_tags + n_letters // _LETTERS_A_TAG + sum(_controls(root, data))


def check_controls(root: ET.Element, data: Mapping[str, Any]) -> None:
    """Refuse more controls, or more labels of controls, than any page has.

    Args:
        root: The configuration's root, the names in lower case.
        data: The task's, which labels may come from.

    Raises:
        LabelConfigError: There are more.
    """
    n_controls, n_labels = _controls(root, data)
    if n_controls > _MAX_CONTROLS or n_labels > _MAX_LABELS:
        raise LabelConfigError(
            f"label config: {n_controls} controls with {n_labels} labels, each for all of its "
            f"images, at most {_MAX_CONTROLS} and {_MAX_LABELS}"
        )


def _controls(root: ET.Element, data: Mapping[str, Any]) -> tuple[int, int]:
    """How many controls there are, and labels of them, both for each of their images anew."""
    counts = {tag: len(labels_of(tag, data)) for tag in root.iter()}
    generic = generic_labels(root)
    n_controls = n_labels = 0
    for tag, count in counts.items():
        if not count and "toname" not in tag.attrib:
            continue
        names = tag.get("toname", "").split(",")
        n_controls += len(names)
        if tag.tag.endswith("labels"):
            n_labels += len(names) * count
        else:
            n_labels += sum(counts[generic[name]] for name in names if name in generic)
    return n_controls, n_labels
