"""Runs by name: the shipped networks', the published ones (Table S-1), the U-Net's source's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mfp_model.names import UNET
from mfp_model.training.config import Phase

_SBD_IMAGES = 8498  # the images of an epoch in the published runs

_PUBLISHED: dict[str, Any] = {
    "scheme": "recursive",
    "max_rounds": 24,
    "schedule": "steps",
    "weight_decay": 0.0,
    "average_decay": 0.0,
}
_LVIS_IMAGES = 100_170
_UNET_SOURCE: dict[str, Any] = {  # Source: the system that the U-Net comes from.
    "phases": (Phase(height=256, width=256, batch=4),),
    "scheme": "drawn",
    "schedule": "steps",
    "loss": "bce",
    "merge_probability": 0.0,
    "weight_decay": 0.0,
    "average_decay": 0.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A backbone and the fields of its `TrainingConfig`, all but the data and the seed.

    Attributes:
        backbone: A name that `NetworkConfig` knows.
        fields: By name.
    """

    backbone: str
    fields: dict[str, Any]


RUNS: dict[str, Preset] = {
    "lite2": Preset(
        backbone="lite2",
        fields={
            "phases": (
                Phase(height=128, width=128, batch=32, share=0.35),
                Phase(height=192, width=192, batch=24, share=0.40),
                Phase(height=256, width=256, batch=16, share=0.25),
            ),
            "cycle_samples": 20_000,
            "n_samples": 2_000_000,
            "max_rounds": 10,
            "round_decay": 0.5,  # few rounds an image, so that more images are seen
            "click_weight": 0.1,
            "iou_weight": 0.1,
            "learning_rate": 1e-3,
            "encoder_rate": 0.1,
            "average_decay": 0.999,
            "paste_probability": 0.15,
            "prior_probability": 0.08,
            "box_probability": 0.08,
            "min_object_px": 50,
            "size_power": 0.25,
        },
    ),
    "resnet34": Preset(
        backbone="resnet34",
        fields={
            **_PUBLISHED,
            "phases": (Phase(height=384, width=384, batch=16),),
            "n_samples": 80 * _SBD_IMAGES,
            "learning_rate": 5e-4,
        },
    ),
    "hrnet18": Preset(
        backbone="hrnet18",
        fields={
            **_PUBLISHED,
            "phases": (Phase(height=320, width=480, batch=16),),
            "n_samples": 130 * _SBD_IMAGES,
            "learning_rate": 5e-4,
            "milestones": (100 / 130, 115 / 130),
        },
    ),
    "vit_b": Preset(
        backbone="vit_b",
        fields={
            **_PUBLISHED,
            "phases": (Phase(height=448, width=448, batch=8),),
            "n_samples": 55 * _SBD_IMAGES,
            "learning_rate": 5e-5,
            "milestones": (10 / 55,),
        },
    ),
    "unet": Preset(
        backbone=UNET,
        fields={
            "phases": (
                Phase(height=128, width=128, batch=16, share=0.80),
                Phase(height=192, width=192, batch=16, share=0.20, freezes_norms=True),
            ),
            "n_samples": 280_000,
            "max_rounds": 10,
            "round_decay": 0.4,
            "loss": "bce_dice",
            "paste_probability": 0.20,
        },
    ),
    "unet_plain": Preset(
        backbone=UNET,
        fields={
            **_UNET_SOURCE,
            "n_samples": 20 * _LVIS_IMAGES,
            "learning_rate": 1e-3,
            "milestones": (5 / 20, 10 / 20, 15 / 20),
        },
    ),
    "unet_adversarial": Preset(
        backbone=UNET,
        fields={
            **_UNET_SOURCE,
            "n_samples": 30 * _LVIS_IMAGES,
            "learning_rate": 1e-4,
            "adversarial_weight": 0.1,
        },
    ),
}
