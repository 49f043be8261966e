"""Backbones by name. Each fuses the two embeddings and returns features at 1/4 resolution."""

from __future__ import annotations

from collections.abc import Callable

from mfp_model.backbones.compact import CompactBackbone

BACKBONES: dict[str, Callable[[], CompactBackbone]] = {"compact": CompactBackbone}

__all__ = ["BACKBONES", "CompactBackbone"]
