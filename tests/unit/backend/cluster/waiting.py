"""A segmenter that waits where another one computes, and notes which process answered."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.cluster.messages import Which
from backend.settings import Settings
from mfp_model.prediction import Prediction
from mfp_model.prompts import Prompt, clicks_of
from tests.fakes import DiskSegmenter

ROUND_S = 0.03
_NOTES = "answered"


class WaitingSegmenter(DiskSegmenter):
    """Disks, each round after a wait."""

    def __init__(self, folder: Path, round_s: float) -> None:
        super().__init__()
        self._folder = folder
        self._round_s = round_s

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        for prediction in super()._rounds(image, prompts, previous):
            name = f"{clicks_of(prompts)[0].x:g} {os.getpid()}\n"
            with (self._folder / _NOTES).open("a") as file:
                file.write(name)
            time.sleep(self._round_s)
            yield prediction


def load_waiting(settings: Settings, which: Which, *, round_s: float = ROUND_S) -> WaitingSegmenter:
    """Return one that notes in the data folder."""
    return WaitingSegmenter(settings.data_dir, round_s)


def who_answered(folder: Path) -> dict[str, int]:
    """Return, for each first click's x, the process that answered it last."""
    lines = (line.split() for line in (folder / _NOTES).read_text().splitlines())
    return {x: int(pid) for x, pid in lines}


def newest_answer(folder: Path) -> int:
    """Return the process that began a round last."""
    return int((folder / _NOTES).read_text().split()[-1])
