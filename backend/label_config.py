"""A project's label configuration (XML), as far as answering clicks needs it."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from mfp_model.errors import MfpError


class LabelConfigError(MfpError):
    """A label configuration that cannot be read or lacks a needed control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrushControl:
    """The control that a mask is an answer of.

    Attributes:
        name: The control's `name`.
        to_name: The image's name.
        labels: The control's label values, in order.
        labels_name: Name of the generic `<Labels>` control that holds the labels for a plain
            `<Brush>`; None for `<BrushLabels>`.
    """

    name: str
    to_name: str
    labels: tuple[str, ...]
    labels_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConfig:
    """Images and brush controls of a label configuration.

    Attributes:
        image_keys: Task data key of each image by the image's name.
        brushes: Controls that take masks, in order.
    """

    image_keys: dict[str, str]
    brushes: tuple[BrushControl, ...]

    def brush_for(self, image_name: str) -> BrushControl:
        """Return the first brush control of an image.

        Raises:
            LabelConfigError: There is none.
        """
        for brush in self.brushes:
            if brush.to_name == image_name:
                return brush
        raise LabelConfigError(
            f"label config has no <BrushLabels toName={image_name!r}>, so a mask has no place"
        )


def parse_label_config(xml: str) -> LabelConfig:
    """Return what a label configuration says.

    Raises:
        LabelConfigError: Not XML, or with a document type, which Label Studio never writes.
    """
    if "<!DOCTYPE" in xml.upper() or "<!ENTITY" in xml.upper():
        raise LabelConfigError("label config: document types and entities are refused")
    try:
        root = ET.fromstring(xml)
    except ET.ParseError as error:
        raise LabelConfigError(f"label config: not XML ({error})") from None
    image_keys = {
        tag.get("name", ""): tag.get("value", "").removeprefix("$") for tag in root.iter("Image")
    }
    generic = {tag.get("toName", ""): tag for tag in root.iter("Labels")}
    brushes = [
        BrushControl(
            name=tag.get("name", ""), to_name=tag.get("toName", ""), labels=_label_values(tag)
        )
        for tag in root.iter("BrushLabels")
    ]
    for tag in root.iter("Brush"):
        to_name = tag.get("toName", "")
        if to_name in generic:
            labels = generic[to_name]
            brushes.append(
                BrushControl(
                    name=tag.get("name", ""),
                    to_name=to_name,
                    labels=_label_values(labels),
                    labels_name=labels.get("name", ""),
                )
            )
    return LabelConfig(image_keys=image_keys, brushes=tuple(brushes))


def _label_values(control: ET.Element) -> tuple[str, ...]:
    return tuple(label.get("value", "") for label in control.iter("Label"))
