"""Checkpoints: one safetensors file with the weights, what network they are for, and whence.

Written whole or not at all: to a temporary file first, flushed to disk, then renamed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mfp_model.checkpoints.tensors import check_tensors
from mfp_model.errors import CheckpointError, ConfigError
from mfp_model.files import parsed_json, write_atomically
from mfp_model.names import UNET
from mfp_model.networks.modulation import ModulationConfig
from mfp_model.networks.network import ClickNetwork, MfpNetwork, NetworkConfig
from mfp_model.networks.unet import MFPResNetUNet
from mfp_model.weights.checking import check_input_size
from mfp_model.weights.stored import SCALE, widened_tensors
from mfp_model.weights.versions import weights_digest

FORMAT = "label-studio-mfp/1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A checkpoint in memory.

    Attributes:
        version: The weights' name, with which their answers' model version begins.
        config: What network the weights are for.
        weights: State dict of the config's network, float32.
        origin: Where the weights come from: data, procedure, scores, git state.
    """

    version: str
    config: NetworkConfig
    weights: Mapping[str, Tensor]
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """The name and digits of what computes, config and values: `lite2-3-74db070b`."""
        tensors = sorted(self.weights.items())
        values = ((name, tensor.detach().cpu().numpy()) for name, tensor in tensors)
        return f"{self.version}-{weights_digest(asdict(self.config), values)}"

    def network(self) -> ClickNetwork:
        """Return the network with these weights, in evaluation mode.

        Raises:
            CheckpointError: A tensor is missing, left over, or of another shape.
        """
        network = build_network(self.config)
        try:
            check_tensors(self.weights, network.state_dict())
        except CheckpointError as error:
            raise CheckpointError(f"checkpoint {self.version}: {error}") from None
        network.load_state_dict(dict(self.weights))
        return network.eval()


def build_network(config: NetworkConfig) -> ClickNetwork:
    """Return the network of a config with random weights in float32, in training mode."""
    network = MFPResNetUNet(config) if config.backbone == UNET else MfpNetwork(config)
    return network.float()  # whatever type PyTorch makes by default


def save_checkpoint(checkpoint: Checkpoint, path: Path, *, bits: int = 32) -> None:
    """Write the checkpoint to `path`, atomically.

    Args:
        checkpoint: What to write.
        path: The file.
        bits: 32; or 16 or 8 for matrices and kernels, which loading widens. Vectors (biases,
            normalisation statistics) stay in 32: small, and some exceed 16 bits. With 8, each of
            a kernel's outputs has a scale of its own.

    Raises:
        CheckpointError: A tensor has values that are not finite.
    """
    assert bits in (32, 16, 8)
    weights = {}
    for name, tensor in checkpoint.weights.items():
        stored = tensor.detach().cpu().contiguous()
        is_large = stored.is_floating_point() and stored.ndim > 1
        if is_large and bits == 16:
            stored = stored.half()
        if not bool(torch.isfinite(stored).all()):
            raise CheckpointError(f"{path}: {name} has values that are not finite; not written")
        if is_large and bits == 8:
            scale = stored.flatten(1).abs().amax(dim=1).clamp_min(1e-12) / 127
            weights[name + SCALE] = scale
            outputs = scale.view(-1, *[1] * (stored.ndim - 1))
            stored = (stored / outputs).round().to(torch.int8)
        weights[name] = stored
    metadata = {
        "format": FORMAT,
        "version": checkpoint.version,
        "config": json.dumps(asdict(checkpoint.config)),
        "origin": json.dumps(dict(checkpoint.origin)),
    }
    write_atomically(path, save(weights, metadata))


def load_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint stored in `path`, weights widened to float32, on the CPU.

    Raises:
        CheckpointError: The file is missing, damaged, or not of this format, or a value is not
            finite.
    """
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path}: no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            weights = {name: torch.from_numpy(x) for name, x in widened_tensors(file, path)}
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise CheckpointError(f"checkpoint {path}: not a safetensors file ({error})") from None
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"checkpoint {path}: format {metadata.get('format')!r}, expected {FORMAT!r}"
        )
    try:
        config = parsed_json(metadata["config"])
        check_input_size(config["input_size"], path)
        return Checkpoint(
            version=metadata["version"],
            config=_config_from_dict(config),
            weights=weights,
            origin=parsed_json(metadata["origin"]),
        )
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise CheckpointError(f"checkpoint {path}: unusable metadata ({error!r})") from None


def _config_from_dict(values: dict[str, Any]) -> NetworkConfig:
    return NetworkConfig(**{**values, "modulation": ModulationConfig(**values["modulation"])})
