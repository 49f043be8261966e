"""Devices by name, and what is fast there."""

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
    except (RuntimeError, TypeError):  # code without types may give any
        raise ConfigError(f"device {name!r}: expected {listed(DEVICES)}") from None
    n_devices = {"cpu": 1, "cuda": torch.cuda.device_count() if has_cuda else 0}
    if (device.index or 0) >= n_devices.get(device.type, 0):
        raise ConfigError(f"device {name!r}: not on this machine")
    return device


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is much faster there than float32.

    On CPUs that takes AMX, or AVX-512's own instructions for it. With AVX-512 alone OpenVINO's
    bfloat16 was slower than its float32.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))
