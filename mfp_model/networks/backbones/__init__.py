"""Backbones by name. Each fuses the two embeddings and returns features at 1/4 resolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from mfp_model.networks.backbones.efficientnet_lite import EfficientNetLiteBackbone
from mfp_model.networks.backbones.hrnet import HrNetBackbone
from mfp_model.networks.backbones.resnet import ResNetBackbone
from mfp_model.networks.backbones.vit import VitBackbone
from mfp_model.networks.heads import ObjectContextHead, PointHead, SeparableHead, ShuffleHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What a backbone comes with.

    Attributes:
        backbone: Makes the backbone, whose `n_channels` is K and whose `stride` divides inputs.
        head: Makes the head for K channels.
        input_size: Side of the square that crops are resized to when nothing else is said.
        encoder: The parts of the backbone that pretrained weights fill.
        estimates_iou: Whether the network also says how good its answers are.
        takes_boxes: Whether the network is taught boxes, too.
    """

    backbone: Callable[[], nn.Module]
    head: Callable[[int], nn.Module]
    input_size: int
    encoder: tuple[str, ...] = ()
    estimates_iou: bool = False
    takes_boxes: bool = False


ARCHITECTURES: dict[str, Architecture] = {
    "hrnet18": Architecture(backbone=HrNetBackbone, head=ObjectContextHead, input_size=384),
    "lite2": Architecture(
        backbone=EfficientNetLiteBackbone,
        head=ShuffleHead,
        input_size=288,
        encoder=("stem", "stages"),
        estimates_iou=True,
        takes_boxes=True,
    ),
    "resnet34": Architecture(backbone=ResNetBackbone, head=SeparableHead, input_size=384),
    "vit_b": Architecture(backbone=VitBackbone, head=PointHead, input_size=448),
}
