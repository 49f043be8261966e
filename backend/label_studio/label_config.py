"""A project's label configuration (XML), as far as answering clicks needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from mfp_model.errors import MfpError
from mfp_model.names import FINDERS, INPAINTERS, SEGMENTERS, listed

DEFAULT_INPAINTER = INPAINTERS[0]
_MAX_LETTERS = 2_000_000
_MAX_TAGS = 50_000
_MAX_DEPTH = 50
_SHAPES = ("Brush", "Polygon", "Rectangle", "Ellipse")


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
        segmenter: Its attribute `segmenter`, what answers clicks; None for the server's.
        finder: Its attribute `finder`, what answers when predictions are retrieved without
            clicks; None for nothing.
        inpainter: Its attribute `inpainter`, what fills the place of the objects that the finder
            takes out.
        overlaps: Its attribute `overlaps`, whether a new mask may cover those that are there.
    """

    kind: str
    name: str
    to_name: str
    labels: tuple[str, ...]
    labels_name: str | None = None
    segmenter: str | None = None
    finder: str | None = None
    inpainter: str = DEFAULT_INPAINTER
    overlaps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConfig:
    """Images and mask controls of a label configuration.

    Attributes:
        image_keys: Task data key of each image by the image's name.
        controls: Controls that take masks, in the document's order.
        labels: Values of all labels that shapes can have, in the document's order, each once;
            a control that draws without labels stands there with its own name.
        aliases: Label values by the alias that results have in their place.
        seeds: Controls whose strokes are seeds of graph cuts, by name: label values and whether
            they mean the object.
    """

    image_keys: dict[str, str]
    controls: tuple[MaskControl, ...]
    labels: tuple[str, ...]
    aliases: dict[str, str]
    seeds: dict[str, dict[str, bool]] = field(default_factory=dict)

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

    def problems(self) -> list[str]:
        """Return what clicks, or the opening of a task, will fail on."""
        if not self.image_keys:
            return ["label config has no <Image>, so there is nothing to click on"]
        if not self.controls:
            return [
                "label config has no <BrushLabels> and no <PolygonLabels>, so a mask has no place"
            ]
        return [
            f"label config: {attribute}={value!r:.40}, expected {listed(names)}"
            for control in self.controls
            for attribute, value, names in (
                ("segmenter", control.segmenter, SEGMENTERS),
                ("finder", control.finder, FINDERS),
                ("inpainter", control.inpainter, INPAINTERS),
            )
            if value is not None and value not in names
        ]


def parse_label_config(xml: str) -> LabelConfig:
    """Return what a label configuration says.

    Raises:
        LabelConfigError: Not XML, too large, nested too deep, or with a document type, which
            Label Studio never writes.
    """
    if "<!DOCTYPE" in xml.upper() or "<!ENTITY" in xml.upper():
        raise LabelConfigError("label config: document types and entities are refused")
    if len(xml) > _MAX_LETTERS or xml.count("<") > _MAX_TAGS:
        raise LabelConfigError(
            f"label config: {len(xml)} letters with {xml.count('<')} tags, at most {_MAX_LETTERS} "
            f"and {_MAX_TAGS}"
        )
    try:
        root = ET.fromstring(xml)
    except (ET.ParseError, ValueError) as error:  # ValueError: letters that no encoding has
        raise LabelConfigError(f"label config: not XML ({error})") from None
    _check_depth(root)
    image_keys = {
        tag.get("name", ""): tag.get("value", "").removeprefix("$") for tag in root.iter("Image")
    }
    generic = {tag.get("toName", ""): tag for tag in root.iter("Labels")}
    seeds = {tag.get("name", ""): signs for tag in root.iter() if (signs := _seeds(tag))}
    tags = [tag for tag in root.iter() if tag.get("name", "") not in seeds]
    controls = [control for tag in tags if (control := _control(tag, generic))]
    return LabelConfig(
        image_keys=image_keys,
        controls=tuple(controls),
        labels=tuple(dict.fromkeys(label for tag in tags for label in _shown(tag, generic))),
        aliases={
            label.get("alias", ""): label.get("value", "")
            for label in root.iter("Label")
            if label.get("alias")
        },
        seeds=seeds,
    )


def _check_depth(root: ET.Element) -> None:
    """Refuse nesting that no page has: the work below grows with depth times tags."""
    level = [root]
    for _ in range(_MAX_DEPTH):
        level = [child for tag in level for child in tag]
    if level:
        raise LabelConfigError(f"label config: nested more than {_MAX_DEPTH} deep")


def _seeds(tag: ET.Element) -> dict[str, bool]:
    """A control's labels that have the attribute `seed`, and whether they mean the object.

    Raises:
        LabelConfigError: The attribute is neither `object` nor `background`.
    """
    signs = {}
    for label in tag.findall("Label") if tag.tag == "BrushLabels" else []:
        kind = label.get("seed")
        if kind not in (None, "object", "background"):
            raise LabelConfigError(f"label seed={kind!r:.40}: expected object or background")
        if kind is not None:
            signs[label.get("value", "")] = kind == "object"
    return signs


def _shown(tag: ET.Element, generic: dict[str, ET.Element]) -> tuple[str, ...]:
    """The labels that a control gives to shapes."""
    if tag.tag == "Labels" or tag.tag in [f"{shape}Labels" for shape in _SHAPES]:
        return _label_values(tag)
    is_unlabeled = tag.tag in _SHAPES and tag.get("toName", "") not in generic
    return (tag.get("name", ""),) if is_unlabeled else ()


def _control(tag: ET.Element, generic: dict[str, ET.Element]) -> MaskControl | None:
    to_name = tag.get("toName", "")
    for kind, plain in (("brush", "Brush"), ("polygon", "Polygon")):
        labels = tag if tag.tag == f"{plain}Labels" else None
        if labels is None and tag.tag == plain:
            labels = generic.get(to_name)
        if labels is None:
            continue
        return MaskControl(
            kind=kind,
            name=tag.get("name", ""),
            to_name=to_name,
            labels=_label_values(labels),
            labels_name=None if labels is tag else labels.get("name", ""),
            segmenter=tag.get("segmenter"),
            finder=tag.get("finder"),
            inpainter=tag.get("inpainter", DEFAULT_INPAINTER),
            overlaps=_switch(tag, "overlaps"),
        )
    return None


def _switch(tag: ET.Element, name: str) -> bool:
    """An attribute that is true or false, which it is by default.

    Raises:
        LabelConfigError: It is neither.
    """
    value = tag.get(name, "false")
    if value not in ("true", "false"):
        raise LabelConfigError(f"label config: {name}={value!r:.40}, expected true or false")
    return value == "true"


def _label_values(control: ET.Element) -> tuple[str, ...]:
    return tuple(label.get("value", "") for label in control.iter("Label"))
