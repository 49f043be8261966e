"""Versions of one machine."""

from __future__ import annotations

from pathlib import Path

from backend.models.registry import ModelRegistry
from backend.models.serving import ServingFile
from backend.models.version_files import VersionFolder


def registry_in(folder: Path) -> ModelRegistry:
    """Return the versions in a folder, which says itself what serves."""
    return ModelRegistry(VersionFolder(folder), ServingFile(folder))
