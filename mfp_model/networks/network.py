"""The MFP network around any backbone, and one round of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mfp_model.errors import ConfigError, check_choice
from mfp_model.names import BACKBONES, UNET
from mfp_model.networks.backbones import ARCHITECTURES
from mfp_model.networks.backbones.efficientnet_lite import EfficientNetLiteBackbone, FirstLayers
from mfp_model.networks.click_map import draw_click_maps
from mfp_model.networks.heads import IouHead, LateFusion
from mfp_model.networks.image_input import IMAGE_MEAN, IMAGE_STD, normalised
from mfp_model.networks.modulation import ModulationConfig, modulate

_UNET_INPUT_SIZE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """What a network is, beside its weights.

    Attributes:
        backbone: A name in `mfp_model.names.BACKBONES`, or `UNET` for the U-Net.
        input_size: Side in pixels of the square network input, a multiple of 32.
        modulation: Constants of the modulation.

    Raises:
        ConfigError: A value outside its range.
    """

    backbone: str = "lite2"
    input_size: int = 288
    modulation: ModulationConfig = field(default_factory=ModulationConfig)

    def __post_init__(self) -> None:
        check_choice("backbone", self.backbone, (*BACKBONES, UNET))
        if self.input_size <= 0 or self.input_size % 32:
            raise ConfigError(f"input_size={self.input_size}: expected a positive multiple of 32")


def default_input_size(backbone: str) -> int:
    """Return the side of the square that crops are resized to when nothing else is said."""
    return _UNET_INPUT_SIZE if backbone == UNET else ARCHITECTURES[backbone].input_size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """All that a pass of a network answers.

    Attributes:
        logits: Of the mask, float32 `[B, H, W]`.
        auxiliary: Logits `[B, H, W]` that only training uses.
        iou_logits: Of the mask's IoU with the object that is meant, `[B]`; None from a network
            that does not say.
    """

    logits: Tensor
    auxiliary: tuple[Tensor, ...] = ()
    iou_logits: Tensor | None = None


class Answer(NamedTuple):
    """What inference takes of a pass.

    Attributes:
        logits: Of the mask, float32 `[B, H, W]`.
        iou_logits: Of its IoU with the object that is meant, float32 `[B]`; zeros from a network
            that does not estimate it.
    """

    logits: Tensor
    iou_logits: Tensor


class ClickNetwork(nn.Module, ABC):
    """Logits for an image, probability maps and clicks; normalises the image for its child."""

    mean: Tensor
    std: Tensor
    uses_maps = True  # whether the probability maps have any effect
    estimates_iou = False  # whether it says how good its masks are
    takes_boxes = False  # whether it is taught boxes, too

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        for name, values in (("mean", IMAGE_MEAN), ("std", IMAGE_STD)):
            constant = torch.tensor(values, dtype=torch.float32)[:, None, None]
            self.register_buffer(name, constant, persistent=False)

    @abstractmethod
    def small_outputs(self, image: Tensor, maps: Tensor, click_maps: Tensor) -> Outputs:
        """Return the outputs with logits `[B, 1, h, w]` of any size.

        Args:
            image: The image, normalised, `[B, 3, H, W]`.
            maps: As in `outputs`.
            click_maps: As in `outputs`.
        """

    def forward(self, image: Tensor, maps: Tensor, click_maps: Tensor) -> Answer:
        """Return what inference needs; arguments as in `outputs`."""
        outputs = self.outputs(image, maps, click_maps)
        iou_logits = outputs.iou_logits
        if iou_logits is None:
            iou_logits = outputs.logits.new_zeros(len(outputs.logits))
        return Answer(logits=outputs.logits, iou_logits=iou_logits.float())

    def outputs(self, image: Tensor, maps: Tensor, click_maps: Tensor) -> Outputs:
        """Return all that the network answers.

        Args:
            image: RGB float32 `[B, 3, H, W]` in 0..1, not normalised.
            maps: Previous and modulated probability map `[B, 2, H, W]`.
            click_maps: Disks around positive and negative clicks `[B, 2, H, W]`.
        """
        small = self.small_outputs(normalised(image, self.mean, self.std), maps, click_maps)
        return replace(
            small,
            logits=_at_size(small.logits, image),
            auxiliary=tuple(_at_size(logits, image) for logits in small.auxiliary),
        )


class Computes(Protocol):
    """What a round needs: a `ClickNetwork`, or an engine that computes one."""

    config: NetworkConfig
    uses_maps: bool
    estimates_iou: bool

    def __call__(self, image: Tensor, maps: Tensor, click_maps: Tensor) -> Answer:
        """Return the answer, see `ClickNetwork.forward`."""


class MfpNetwork(ClickNetwork):
    """Backbone and late fusion, with one of the published backbones or ours."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        architecture = ARCHITECTURES[config.backbone]
        self.backbone = architecture.backbone()
        n_channels = int(self.backbone.n_channels)  # type: ignore[arg-type]
        self.fusion = LateFusion(n_channels)
        self.head = architecture.head(n_channels)
        self.estimates_iou = architecture.estimates_iou
        self.takes_boxes = architecture.takes_boxes
        self.iou_head = IouHead(n_channels) if self.estimates_iou else None

    def small_outputs(self, image: Tensor, maps: Tensor, click_maps: Tensor) -> Outputs:
        """Return outputs at 1/4 or 1/2 resolution; see `ClickNetwork.small_outputs`."""
        features = self.fusion(self.backbone(image, torch.cat([maps, click_maps], 1)), image, maps)
        logits, *auxiliary = self.head(features)
        iou_logits = None if self.iou_head is None else self.iou_head(features, logits)
        return Outputs(logits=logits, auxiliary=tuple(auxiliary), iou_logits=iou_logits)

    @property
    def tells_appearance(self) -> bool:
        """Whether its backbone tells what an image looks like."""
        return isinstance(self.backbone, EfficientNetLiteBackbone)

    def first_layers(self) -> FirstLayers:
        """Return the layers that tell it of normalised images; they share its weights.

        Only of a network that `tells_appearance`.
        """
        assert isinstance(self.backbone, EfficientNetLiteBackbone)
        return FirstLayers(self.backbone)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that pretrained weights fill, none for some backbones."""
        parts = ARCHITECTURES[self.config.backbone].encoder
        return [x for part in parts for x in self.backbone.get_submodule(part).parameters()]


def _at_size(logits: Tensor, image: Tensor) -> Tensor:
    size = image.shape[-2:]
    return F.interpolate(logits.float(), size=size, mode="bilinear", align_corners=True)[:, 0]


def run_round(network: Computes, image: Tensor, previous: Tensor, clicks: Tensor) -> Answer:
    """Return the answer of one round for the newest click.

    A sample whose previous map is all zero is in its first round and gets two passes: the
    first one's probabilities, modulated by the click, feed the second. Decided per sample.
    Gradients flow through both passes, not through the modulated map.

    Args:
        network: The network, or its engine; its config holds the modulation's constants.
        image: RGB float32 `[B, 3, H, W]` in 0..1.
        previous: Previous probability maps float32 `[B, H, W]`, zeros before the first click.
        clicks: Click tensor `[B, N, 3]`, network frame.

    Source: MFP, section 3.1; the published implementation decides for the whole batch.
    """
    height, width = image.shape[-2:]
    click_maps = draw_click_maps(clicks, height=height, width=width)
    if not network.uses_maps:
        return first_pass(network, image, click_maps)
    is_first = (previous == 0).all(dim=2).all(dim=1)
    if bool(is_first.any()):
        chosen = is_first.nonzero()[:, 0]
        first = first_pass(network, image[chosen], click_maps[chosen])
        previous = previous.index_put((chosen,), first.logits.sigmoid())
    return modulated_pass(network, image, previous, clicks, click_maps)


def first_pass(network: Computes, image: Tensor, click_maps: Tensor) -> Answer:
    """Return the answer to image and clicks alone, both probability maps zero."""
    return network(image, torch.zeros_like(click_maps), click_maps)


def modulated_pass(
    network: Computes, image: Tensor, previous: Tensor, clicks: Tensor, click_maps: Tensor
) -> Answer:
    """Return the answer given previous maps `[B, H, W]` and their modulation."""
    modulated = modulate(previous.detach(), clicks, network.config.modulation, image=image)
    return network(image, torch.stack([previous, modulated], dim=1), click_maps)
