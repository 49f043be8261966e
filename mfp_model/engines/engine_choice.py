"""Which engine computes, and the proof that it answers as its network does."""

from __future__ import annotations

import logging

import torch

from mfp_model.engines.agreement import disagreement
from mfp_model.engines.device import has_fast_bf16
from mfp_model.engines.engine import Engine
from mfp_model.engines.pytorch import PyTorchEngine
from mfp_model.errors import ConfigError, check_choice
from mfp_model.names import ENGINES
from mfp_model.networks.network import ClickNetwork

_log = logging.getLogger(__name__)


def make_engine(name: str, network: ClickNetwork, device: torch.device) -> Engine:
    """Return an engine for a network in evaluation mode.

    Args:
        name: `auto` takes OpenVINO on CPUs where it is installed and PyTorch elsewhere. One that
            ends with `-f32` computes in float32 also where bfloat16 is much faster.
        network: The network, which the engine may change or keep.
        device: Where it runs.

    Raises:
        ConfigError: Unknown name, or OpenVINO asked for where it cannot be had.
    """
    check_choice("engine", name, ENGINES)
    kind, _, precision = name.partition("-")
    if kind == "openvino" and device.type != "cpu":
        raise ConfigError(f"engine {name}: expected device cpu, got {device}")
    is_bf16 = not precision and has_fast_bf16(device)
    if kind == "pytorch" or device.type != "cpu":
        return PyTorchEngine(network, device, is_bf16=is_bf16)
    try:
        return _openvino(network, is_bf16=is_bf16)
    except Exception as error:
        if kind == "openvino":
            raise ConfigError(f"engine {name} cannot be used: {error}") from error
        _log.warning("PyTorch computes, because OpenVINO cannot be used: %s", error)
        return PyTorchEngine(network, device, is_bf16=is_bf16)


def _openvino(network: ClickNetwork, *, is_bf16: bool) -> Engine:
    from mfp_model.engines.openvino import OpenVinoEngine

    engine = OpenVinoEngine(network, is_bf16=is_bf16)
    check_engine(engine, network)
    return engine


def check_engine(engine: Engine, network: ClickNetwork) -> None:
    """Compare an engine with its network in plain PyTorch, on one input.

    Raises:
        ConfigError: They disagree.
    """
    size = network.config.input_size
    random = torch.Generator().manual_seed(0)
    image, maps, click_maps = (
        torch.rand(1, n_channels, size, size, generator=random, dtype=torch.float32)
        for n_channels in (3, 2, 2)
    )
    with torch.inference_mode():
        expected = network(image, maps, click_maps).logits
        logits = engine(image, maps, click_maps).logits
    if problem := disagreement(logits, expected, is_bf16=engine.is_bf16):
        raise ConfigError(f"engine {engine.name}: {problem}")
