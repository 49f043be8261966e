"""Devices by name."""

from __future__ import annotations

import torch

from mfp_model.errors import ConfigError
from mfp_model.names import DEVICES, listed


def best_device(name: str) -> torch.device:
    """Return the device of that name; `auto` is CUDA where there is one, else the CPU.

    Raises:
        ConfigError: Unknown name, or CUDA asked for where there is none.
    """
    has_cuda = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if has_cuda else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device {name!r}: expected {listed(DEVICES)}") from None
    if device.type not in ("cpu", "cuda") or (device.type == "cuda" and not has_cuda):
        raise ConfigError(f"device {name!r}: not on this machine")
    return device
