"""What clicks will fail on in a label configuration, found when a project is set up."""

from __future__ import annotations

from collections.abc import Iterator

from backend.label_studio.controls import PointControl
from backend.label_studio.label_config import NO_MASK_CONTROL, LabelConfig
from backend.label_studio.labels import Label
from mfp_model.names import FINDERS, INPAINTERS, SEGMENTERS, listed


def problems_of(config: LabelConfig) -> list[str]:
    """Return what clicks, or the opening of a task, will fail on."""
    if not config.image_values:
        return ["label config has no <Image>, so there is nothing to click on"]
    if not config.controls:
        return [f"label config has {NO_MASK_CONTROL}, so a mask has no place"]
    smart = [points for points in config.points.values() if points.is_smart]
    return [
        *_unknown_values(config),
        *(problem for points in smart for problem in _homeless(config, points)),
    ]


def _unknown_values(config: LabelConfig) -> Iterator[str]:
    for control in config.controls:
        for attribute, value, names in (
            ("segmenter", control.segmenter, SEGMENTERS),
            ("finder", control.finder, FINDERS),
            ("inpainter", control.inpainter, INPAINTERS),
        ):
            if value is not None and value not in names:
                yield f"label config: {attribute}={value!r:.40}, expected {listed(names)}"


def _homeless(config: LabelConfig, points: PointControl) -> Iterator[str]:
    """Points that no mask can answer."""
    for image in points.images:
        controls = [control for control in config.controls if control.to_name == image]
        where = f"label config: points of {points.name!r:.40}"
        if not controls:
            yield f"{where} have no mask control on image {image!r:.40}, so a mask has no place"
        if any(control.takes_more or not control.labels for control in controls):
            continue  # these take any label, or those of tasks
        homeless = [
            label.name
            for label in points.labels
            if controls
            and all(
                config.named((_meant(label),), control, points.name) is None for control in controls
            )
        ]
        if homeless:
            names = ", ".join(
                dict.fromkeys(name for control in controls for name in control.labels)
            )
            yield (
                f"{where} have labels that no mask control of image {image!r:.40} has: "
                f"{', '.join(homeless):.200}; expected some of {names:.200}"
            )


def _meant(label: Label) -> str:
    """What a mask is called that answers a label's points."""
    return label.name if label.alike is None else label.alike
