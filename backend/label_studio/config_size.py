"""How much a label configuration makes of a task: what reading it takes grows with that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.labels import generic_labels, labels_of

_MAX_LABELS = 200_000  # of all controls, for each of their images anew
_LETTERS_A_TAG = 100  # take about as long


def size_of(root: ET.Element, data: Mapping[str, Any]) -> int:
    """Return a configuration's number of tags and labels; a tag of many letters is several.

    Args:
        root: Its root, the names in lower case.
        data: The task's, which labels may come from.
    """
    n_letters = sum(len(value) for tag in root.iter() for value in tag.attrib.values())
    return sum(1 for _ in root.iter()) + n_letters // _LETTERS_A_TAG + _n_labels(root, data)


def check_labels(root: ET.Element, data: Mapping[str, Any]) -> None:
    """Refuse controls that have, together, more labels than any page has.

    Args:
        root: The configuration's root, the names in lower case.
        data: The task's, which labels may come from.

    Raises:
        LabelConfigError: They have.
    """
    n_labels = _n_labels(root, data)
    if n_labels > _MAX_LABELS:
        raise LabelConfigError(
            f"label config: controls with {n_labels} labels, each for all its images, at most "
            f"{_MAX_LABELS}"
        )


def _n_labels(root: ET.Element, data: Mapping[str, Any]) -> int:
    """Of all controls, anew for each of their images; a control without labels counts as one."""
    counts = {tag: len(labels_of(tag, data)) for tag in root.iter()}
    generic = generic_labels(root)
    total = 0
    for tag, count in counts.items():
        if not count and "toname" not in tag.attrib:
            continue
        names = tag.get("toname", "").split(",")
        of_others = sum(counts[generic[name]] for name in names if name in generic)
        total += len(names) * max(1, count) + (0 if tag.tag.endswith("labels") else of_others)
    return total
