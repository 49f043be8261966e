"""The contract of engines."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from mfp_model.network import ClickNetwork, NetworkConfig


class Engine(ABC):
    """Computes the logits of one network; safe between threads."""

    def __init__(self, network: ClickNetwork) -> None:
        self.config: NetworkConfig = network.config
        self.uses_maps: bool = network.uses_maps

    @property
    @abstractmethod
    def name(self) -> str:
        """What computes, and how: `openvino f32`."""

    @abstractmethod
    def __call__(self, image: Tensor, maps: Tensor, click_maps: Tensor) -> Tensor:
        """Return logits float32 `[B, S, S]`; arguments as in `ClickNetwork.forward`."""
