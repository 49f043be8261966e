"""Weights that are no more than what is written in a file."""

from __future__ import annotations

from pathlib import Path

from mfp_model.errors import CheckpointError
from mfp_model.segmenter import Segmenter
from tests.fakes import DiskSegmenter


class Named(DiskSegmenter):
    def __init__(self, version: str) -> None:
        super().__init__()
        self._version = version

    @property
    def version(self) -> str:
        return self._version


class Weights:
    """Loads what is written in a file, and tells in which order."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def load(self, checkpoint: Path | None) -> Segmenter:
        version = "default" if checkpoint is None else checkpoint.read_text()
        if version == "broken":
            raise CheckpointError("damaged")
        self.loaded.append(version)
        return Named(version)
