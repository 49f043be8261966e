"""The controls of a label configuration that masks are answers of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.labels import Label, labels_of, takes_labels_of_tasks
from mfp_model.names import INPAINTERS

_PROMPT_TAGS = ("keypoint", "keypointlabels", "rectangle", "rectanglelabels")
DEFAULT_INPAINTER = INPAINTERS[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskControl:
    """The control that a mask is an answer of.

    Attributes:
        kind: `brush` or `polygon`, the form of the answer.
        name: The control's `name`.
        to_name: The image's name.
        labels: What results have for each label, in order: its alias, or else its value.
        names_by_value: The same by the labels' values.
        labels_name: Name of the generic `<Labels>` control that holds the labels for a plain
            `<Brush>` or `<Polygon>`; None for `<BrushLabels>` and `<PolygonLabels>`.
        is_plain: It draws without labels, as a `<Brush>` or `<Polygon>` alone.
        takes_more: Whether tasks may bring further labels.
        is_multiple: Whether a mask can have several labels.
        segmenter: Its attribute `segmenter`, what answers clicks; None for the server's.
        finder: Its attribute `finder`, what answers when predictions are retrieved without
            clicks; None for nothing.
        inpainter: Its attribute `inpainter`, what fills the place of the objects that the finder
            takes out.
        overlaps: Its attribute `overlaps`, whether a new mask may cover those that are there.
        auto_accept: Its attribute `autoAccept`, whether people work with Auto-Accept on, so that
            each click without Alt is an object of its own.
    """

    kind: str
    name: str
    to_name: str
    labels: tuple[str, ...]
    names_by_value: Mapping[str, str] = field(default_factory=dict)
    labels_name: str | None = None
    is_plain: bool = False
    takes_more: bool = False
    is_multiple: bool = False
    segmenter: str | None = None
    finder: str | None = None
    inpainter: str = DEFAULT_INPAINTER
    overlaps: bool = False
    auto_accept: bool = False

    def written(self, label: str | None) -> str | None:
        """Return what results have for a label's alias or value, None where it has none such."""
        if label is None or label in self.labels:
            return label
        return self.names_by_value.get(label)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointControl:
    """A `<KeyPointLabels>`, `<KeyPoint>`, `<RectangleLabels>` or `<Rectangle>`.

    Attributes:
        name: The control's `name`.
        images: The names of its images.
        labels: Its labels, or those of the `<Labels>` of its image.
        is_smart: Whether the page asks the backend about its points; of rectangles, which are
            often drawn for themselves, whether it says so.
        is_negative: Its attribute `negative`: its points mean "not object", with whatever key.
    """

    name: str
    images: tuple[str, ...]
    labels: tuple[Label, ...]
    is_smart: bool
    is_negative: bool = False


def plain_controls(tag: ET.Element, generic: Mapping[str, ET.Element]) -> Iterator[MaskControl]:
    """Yield the controls without labels that a tag is, one for each image that it belongs to.

    Args:
        tag: Any.
        generic: The `<Labels>` of each image, by the image's name.
    """
    for to_name in tag.get("toname", "").split(",") if tag.tag in ("brush", "polygon") else ():
        if to_name not in generic:
            name = tag.get("name", "")
            yield MaskControl(kind=tag.tag, name=name, to_name=to_name, labels=(), is_plain=True)


def mask_controls(
    tag: ET.Element, generic: Mapping[str, ET.Element], data: Mapping[str, Any]
) -> Iterator[MaskControl]:
    """Yield the mask controls that a tag is, one for each image that it belongs to.

    Args:
        tag: Of the label configuration, its names in lower case.
        generic: `<Labels>` tags by the image that they belong to.
        data: The task's, which labels may come from.

    Raises:
        LabelConfigError: An attribute that is neither true nor false.
    """
    kind = tag.tag.removesuffix("labels")
    if kind not in ("brush", "polygon"):
        return
    for to_name in tag.get("toname", "").split(","):
        holder = tag if tag.tag.endswith("labels") else generic.get(to_name)
        if holder is None:
            continue
        labels = labels_of(holder, data)
        yield MaskControl(
            kind=kind,
            name=tag.get("name", ""),
            to_name=to_name,
            labels=tuple(label.name for label in labels),
            names_by_value={label.value: label.name for label in labels},
            labels_name=None if holder is tag else holder.get("name", ""),
            takes_more=takes_labels_of_tasks(holder),
            is_multiple=holder.get("choice") == "multiple",
            segmenter=tag.get("segmenter"),
            finder=tag.get("finder"),
            inpainter=tag.get("inpainter", DEFAULT_INPAINTER),
            overlaps=switch(tag, "overlaps"),
            auto_accept=switch(tag, "autoaccept"),
        )


def point_control(
    tag: ET.Element, generic: Mapping[str, ET.Element], data: Mapping[str, Any]
) -> PointControl | None:
    """Return the control that a tag sets points or boxes with, None where it does not.

    Args:
        tag: Any, its names in lower case.
        generic: The `<Labels>` of each image, by the image's name.
        data: The task's, which labels may come from.

    Raises:
        LabelConfigError: An attribute that is neither true nor false.
    """
    if tag.tag not in _PROMPT_TAGS:
        return None
    holder = tag if tag.tag.endswith("labels") else generic.get(tag.get("toname", ""), tag)
    by_default = "true" if tag.tag.startswith("keypoint") else "false"
    return PointControl(
        name=tag.get("name", ""),
        images=tuple(tag.get("toname", "").split(",")),
        labels=labels_of(holder, data),
        is_smart=tag.get("smart", by_default) != "false",
        is_negative=switch(tag, "negative"),
    )


def switch(tag: ET.Element, name: str) -> bool:
    """Return an attribute that is true or false, which it is by default.

    Args:
        tag: Of the label configuration, its names in lower case.
        name: The attribute's.

    Raises:
        LabelConfigError: It is neither.
    """
    value = tag.get(name, "false")
    if value not in ("true", "false"):
        raise LabelConfigError(f"label config: {name}={value!r:.40}, expected true or false")
    return value == "true"
