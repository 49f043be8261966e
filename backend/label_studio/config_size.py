"""How much a label configuration makes of a task: what reading it takes grows with that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.labels import generic_labels, labels_of

_MAX_LABELS = 200_000  # of all controls, for each of their images anew
_MAX_CONTROLS = 4_000  # each for all of its images anew
_LETTERS_A_TAG = 100  # take about as long


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSize:
    """What a configuration makes of a task.

    Attributes:
        n_tags: Its tags; one of many letters is several.
        n_controls: Its controls, each for all of its images anew.
        n_labels: Labels of these, for each of their images anew.
    """

    n_tags: int
    n_controls: int
    n_labels: int

    @classmethod
    def of(cls, root: ET.Element, data: Mapping[str, Any]) -> ConfigSize:
        """Measure a configuration.

        Args:
            root: Its root, the names in lower case.
            data: The task's, which labels may come from.
        """
        counts = {tag: len(labels_of(tag, data)) for tag in root.iter()}
        n_letters = sum(len(value) for tag in counts for value in tag.attrib.values())
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
        n_tags = len(counts) + n_letters // _LETTERS_A_TAG
        return cls(n_tags=n_tags, n_controls=n_controls, n_labels=n_labels)

    @property
    def n_made(self) -> int:
        """Tags and labels, all together."""
        return self.n_tags + self.n_controls + self.n_labels

    def check(self) -> None:
        """Refuse more controls, or more labels of controls, than any page has.

        Raises:
            LabelConfigError: There are more.
        """
        if self.n_controls > _MAX_CONTROLS or self.n_labels > _MAX_LABELS:
            raise LabelConfigError(
                f"label config: {self.n_controls} controls with {self.n_labels} labels, each for "
                f"all of its images, at most {_MAX_CONTROLS} and {_MAX_LABELS}"
            )
