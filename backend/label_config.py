"""A project's label configuration (XML), as far as answering clicks needs it."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from mfp_model.errors import MfpError


class LabelConfigError(MfpError):
    """A label configuration that cannot be read or lacks a needed control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskControl:
    """The control that a mask is an answer of.

    Attributes:
        kind: `brush` or `polygon`, the form of the answer.
        name: The control's `name`.
        to_name: The image's name.
        labels: The control's label values, in order.
        labels_name: Name of the generic `<Labels>` control that holds the labels for a plain
            `<Brush>` or `<Polygon>`; None for `<BrushLabels>` and `<PolygonLabels>`.
    """

    kind: str
    name: str
    to_name: str
    labels: tuple[str, ...]
    labels_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConfig:
    """Images and mask controls of a label configuration.

    Attributes:
        image_keys: Task data key of each image by the image's name.
        controls: Controls that take masks, in the document's order.
    """

    image_keys: dict[str, str]
    controls: tuple[MaskControl, ...]

    def control_for(self, image_name: str) -> MaskControl:
        """Return the first mask control of an image: the configuration chooses the form.

        Raises:
            LabelConfigError: There is none.
        """
        for control in self.controls:
            if control.to_name == image_name:
                return control
        raise LabelConfigError(
            f"label config has no <BrushLabels toName={image_name!r}> or <PolygonLabels "
            f"toName={image_name!r}>, so a mask has no place"
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
    except (ET.ParseError, ValueError) as error:  # ValueError: letters that no encoding has
        raise LabelConfigError(f"label config: not XML ({error})") from None
    image_keys = {
        tag.get("name", ""): tag.get("value", "").removeprefix("$") for tag in root.iter("Image")
    }
    generic = {tag.get("toName", ""): tag for tag in root.iter("Labels")}
    controls = [control for tag in root.iter() if (control := _control(tag, generic))]
    return LabelConfig(image_keys=image_keys, controls=tuple(controls))


def _control(tag: ET.Element, generic: dict[str, ET.Element]) -> MaskControl | None:
    name, to_name = tag.get("name", ""), tag.get("toName", "")
    for kind, plain in (("brush", "Brush"), ("polygon", "Polygon")):
        if tag.tag == f"{plain}Labels":
            return MaskControl(kind=kind, name=name, to_name=to_name, labels=_label_values(tag))
        if tag.tag == plain and to_name in generic:
            labels = generic[to_name]
            return MaskControl(
                kind=kind,
                name=name,
                to_name=to_name,
                labels=_label_values(labels),
                labels_name=labels.get("name", ""),
            )
    return None


def _label_values(control: ET.Element) -> tuple[str, ...]:
    return tuple(label.get("value", "") for label in control.iter("Label"))
