"""The contract of engines."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from mfp_model.networks.network import Answer, ClickNetwork, NetworkConfig

_MEMORY_FACTOR = 3.5  # of the weights: 2.5 to 3.5 were measured of U-Net, small networks and ViT-B


class Engine(ABC):
    """Computes the answers of one network; safe between threads.

    Attributes:
        is_bf16: Whether it computes in bfloat16.
        config: The network's.
        uses_maps: The network's.
        estimates_iou: The network's.
        n_bytes: What it holds in memory, about.
    """

    def __init__(self, network: ClickNetwork, *, is_bf16: bool) -> None:
        self.is_bf16 = is_bf16
        n_weights = sum(weight.nbytes for weight in network.parameters())
        self.n_bytes = int(_MEMORY_FACTOR * n_weights)
        self.config: NetworkConfig = network.config
        self.uses_maps: bool = network.uses_maps
        self.estimates_iou: bool = network.estimates_iou

    @property
    @abstractmethod
    def name(self) -> str:
        """What computes, and how: `openvino f32`."""

    @abstractmethod
    def __call__(self, image: Tensor, maps: Tensor, click_maps: Tensor) -> Answer:
        """Return the answer, logits `[B, S, S]`; arguments as in `ClickNetwork.forward`."""
