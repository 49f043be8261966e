"""Weights in the published layout that anyone can regenerate: random, by each tensor's name."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

PARITY = Path(__file__).parent / "parity"
GAINS = {"resnet34": 1.4, "hrnet18": 1.0, "vit_b": 2.0}


def published_weights(backbone: str) -> dict[str, Tensor]:
    """Every tensor of the published layout, as the recorded logits were made with."""
    layouts = json.loads(gzip.decompress((PARITY / "layouts.json.gz").read_bytes()))
    return {name: _tensor(name, shape, GAINS[backbone]) for name, shape in layouts[backbone]}


def _tensor(name: str, shape: list[int], gain: float) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    values = generator.standard_normal(shape).astype(np.float32)
    if name.endswith("running_var"):
        values = 1 + 0.1 * np.abs(values)
    elif len(shape) >= 2:
        values = values * np.float32(np.sqrt(gain / np.prod(shape[1:])))
    elif name.endswith("weight"):
        values = 1 + 0.1 * values
    else:
        values = 0.05 * values
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
