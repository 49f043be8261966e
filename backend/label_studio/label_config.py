"""A project's label configuration, as far as answering clicks needs it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

from backend.label_studio.config_size import ConfigSize
from backend.label_studio.config_xml import LabelConfigError, has_repeaters, read_xml, repeated
from backend.label_studio.controls import (
    MaskControl,
    PointControl,
    mask_controls,
    plain_controls,
    point_control,
)
from backend.label_studio.labels import (
    Label,
    aliases_of,
    generic_labels,
    labels_of,
    seeds_of,
    takes_labels_of_tasks,
)
from backend.label_studio.task_values import key_of

NO_MASK_CONTROL = (
    "no <BrushLabels>, no <PolygonLabels>, and no <Brush> or <Polygon> beside <Labels>"
)
_SHAPES = ("brush", "polygon", "rectangle", "ellipse")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConfig:
    """Images and mask controls of a label configuration.

    Attributes:
        image_values: What each image's `value` or `valueList` says, by the image's name.
        controls: Controls that take masks, in the document's order.
        labels: Values of all labels that shapes can have, in the document's order, each once;
            a control that draws without labels stands there with its own name.
        aliases: By the name of each control that shapes are made with, label values by the alias
            that its results have in their place.
        seeds: Controls whose strokes are seeds of graph cuts, by name: label values and aliases,
            and whether they mean the object.
        plain: Controls that draw without labels; no click is answered with them.
        points: Controls that points and boxes are set with, by name.
        alike: By the values and aliases of labels that ask for all like this, the label that is
            meant.
    """

    image_values: dict[str, str]
    controls: tuple[MaskControl, ...]
    labels: tuple[str, ...]
    aliases: dict[str, dict[str, str]]
    seeds: dict[str, dict[str, bool]] = field(default_factory=dict)
    plain: tuple[MaskControl, ...] = ()
    points: dict[str, PointControl] = field(default_factory=dict)
    alike: dict[str, str] = field(default_factory=dict)

    @property
    def image_keys(self) -> dict[str, str]:
        """Path in the task's data of each image by the image's name."""
        return {name: key_of(value) for name, value in self.image_values.items()}

    def value_of(self, label: str, control: str) -> str:
        """Return the value of a label of a result, which may have its alias.

        Two controls may have one alias for two labels.

        Args:
            label: As the result has it.
            control: Name of the control that the shape was made with; of one that is gone since
                the aliases of all others are tried.
        """
        own = self.aliases.get(control)
        alias_maps = (own,) if own is not None else self.aliases.values()
        return next((aliases[label] for aliases in alias_maps if label in aliases), label)

    def control_for(
        self, image_name: str, *, labels: tuple[str, ...] = (), point_control: str = ""
    ) -> MaskControl:
        """Return the control that an answer belongs to.

        The first mask control of the image that has the labels. Where several have them, the one
        that has as many labels as the points' control, and the same.

        Args:
            image_name: The image.
            labels: The points' labels, as the page sends them.
            point_control: Name of the points' control.

        Raises:
            LabelConfigError: There is none, or none with these labels.
        """
        controls = [control for control in self.controls if control.to_name == image_name]
        if not controls:
            raise LabelConfigError(
                f"label config has {NO_MASK_CONTROL} for image {image_name!r:.40}, so a mask has "
                "no place"
            )
        fitting = [
            control
            for control in controls
            if not control.labels or self.named(labels, control, point_control) is not None
        ]
        if not fitting:
            names = ", ".join(
                dict.fromkeys(name for control in controls for name in control.labels)
            )
            raise LabelConfigError(
                f"a point's label {', '.join(labels)!r:.80} belongs to no mask control of image "
                f"{image_name!r:.40}: expected one of {names:.200}"
            )
        values = {label.value for label in self._point_labels(point_control)}
        alike = [control for control in fitting if {*control.names_by_value} == values]
        return fitting[0] if not fitting[0].labels or not alike else alike[0]

    def named(
        self, labels: tuple[str, ...], control: MaskControl, point_control: str
    ) -> tuple[str, ...] | None:
        """Return a point's labels as a mask control writes them, None where it lacks one.

        Args:
            labels: As the page sends them, the alias where the point's label has one.
            control: The mask control.
            point_control: Name of the points' control.
        """
        values = {label.name: label.value for label in self._point_labels(point_control)}
        names = [_written(label, values.get(label, label), control) for label in labels]
        return None if None in names else tuple(name for name in names if name is not None)

    def _point_labels(self, name: str) -> tuple[Label, ...]:
        return self.points[name].labels if name in self.points else ()


class TaskConfigs:
    """The configuration of each task of a project; most have one for all."""

    def __init__(self, xml: str, *, most: float = math.inf) -> None:
        """Read a configuration.

        Args:
            xml: As the project has it.
            most: Tags and labels that tasks may make of it, all tasks together.

        Raises:
            LabelConfigError: See `read_xml`, or an attribute has an unknown value, or there
                are too many controls or labels.
        """
        self._most = most
        self._n_made = 0
        self._root = read_xml(xml)
        ConfigSize.of(self._root, {}).check()
        self.common = _config(self._root, {})
        self._is_one_for_all = not (
            has_repeaters(self._root) or any(map(takes_labels_of_tasks, self._root.iter()))
        )

    @property
    def label_keys(self) -> tuple[str, ...]:
        """Paths in a task's data at which controls find further labels."""
        return tuple(
            key_of(tag.get("value", "")) for tag in self._root.iter() if takes_labels_of_tasks(tag)
        )

    def of(self, data: Mapping[str, Any]) -> LabelConfig:
        """Return the configuration for a task with this data.

        Raises:
            LabelConfigError: The task makes too many tags or labels of it, or all tasks together.
        """
        if self._is_one_for_all:
            return self.common
        if self._n_made > self._most:
            raise LabelConfigError(
                f"label config: the tasks before made more than {self._most} tags and labels of it"
            )
        root = repeated(self._root, data)
        size = ConfigSize.of(root, data)
        self._n_made += size.n_made
        size.check()
        return _config(root, data)


def parse_label_config(xml: str) -> LabelConfig:
    """Return what a label configuration says, whatever the task.

    Raises:
        LabelConfigError: See `TaskConfigs`.
    """
    return TaskConfigs(xml).common


def _config(root: ET.Element, data: Mapping[str, Any]) -> LabelConfig:
    generic = generic_labels(root)
    seeds = {tag.get("name", ""): signs for tag in root.iter() if (signs := seeds_of(tag, data))}
    tags = [tag for tag in root.iter() if tag.get("name", "") not in seeds]
    return LabelConfig(
        image_values={
            tag.get("name", ""): tag.get("valuelist", "") or tag.get("value", "")
            for tag in root.iter("image")
        },
        controls=tuple(control for tag in tags for control in mask_controls(tag, generic, data)),
        labels=tuple(dict.fromkeys(label for tag in tags for label in _shown(tag, generic, data))),
        aliases={
            tag.get("name", ""): aliases_of(tag, generic, data)
            for tag in root.iter()
            if tag.tag.removesuffix("labels") in ("", *_SHAPES)
        },
        seeds=seeds,
        alike={
            name: label.alike
            for tag in root.iter()
            for label in labels_of(tag, data)
            if label.alike is not None
            for name in (label.value, label.name)
        },
        plain=tuple(control for tag in tags for control in plain_controls(tag, generic)),
        points={
            control.name: control
            for tag in root.iter()
            if (control := point_control(tag, generic, data))
        },
    )


def _written(label: str, value: str, control: MaskControl) -> str | None:
    """A point's label in a mask control, which may use one label's value as another one's alias."""
    if label == value and label in control.names_by_value:
        return control.names_by_value[label]
    return control.written(label) or control.written(value)


def _shown(
    tag: ET.Element, generic: Mapping[str, ET.Element], data: Mapping[str, Any]
) -> Iterator[str]:
    """The labels that a control gives to shapes."""
    if tag.tag == "labels" or tag.tag in [f"{shape}labels" for shape in _SHAPES]:
        yield from (label.value for label in labels_of(tag, data))
    elif tag.tag in _SHAPES and tag.get("toname", "") not in generic:
        yield tag.get("name", "")
