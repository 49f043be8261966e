"""What a segmenter answers, and goes on from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfp_model.frames.layered_map import LayeredMap
from mfp_model.frames.thresholding import runs_above
from mfp_model.frames.window import Window
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Prompt

MASK_THRESHOLD = 0.5  # Source: the published evaluation.


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """What a segmenter answers after a prompt, and all it needs to go on from there.

    Small at any image size: maps are kept at network size until they are asked for.

    Attributes:
        prompts: The prompts it answers, oldest first, image frame.
        layers: The probability map, composed on demand.
        zoom: The window that was looked at last, or None for the whole image.
        cut: The mask where it is not the map's threshold, such as a graph cut's.
        edited: The mask where one that was there already is being edited.
        n_edits: The prompts that changed it so far.
        iou: What the network thinks its answer's IoU is, 0..1; None where it does not say.
    """

    prompts: tuple[Prompt, ...]
    layers: LayeredMap
    zoom: Window | None = None
    cut: MaskRuns | None = None
    edited: MaskRuns | None = None
    n_edits: int = 0
    iou: float | None = None

    @property
    def probability_map(self) -> NDArray[np.float32]:
        """Probabilities float32 `[H, W]` in 0..1, image frame; composed at every call.

        Of a mask that is being edited they are those of the rounds, wherever those counted.
        """
        return self.layers.full() if self.layers.layers else self.mask.astype(np.float32)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The object, bool `[H, W]`, image frame; composed at every call."""
        return self.runs.mask()

    @property
    def runs(self) -> MaskRuns:
        """The object as runs, far cheaper than its pixels; composed at every call."""
        if self.edited is not None:
            return self.edited
        if self.cut is not None:
            return self.cut
        return runs_above(self.layers, MASK_THRESHOLD)

    @property
    def score(self) -> float:
        """How sure the answer is, 0..1: the IoU that the network estimates.

        Where it does not, the mean probability of the cells inside the mask as last looked at, 0
        for none. A cut without probabilities gets 1, or 0 where it is empty.
        """
        if self.iou is not None:
            return self.iou
        if not self.layers.layers:
            return float(self.runs.rows.size > 0)
        values = self.layers.layers[-1].values
        inside = values[values > MASK_THRESHOLD]
        return float(inside.mean(dtype=np.float64)) if inside.size else 0.0

    @property
    def n_bytes(self) -> int:
        """Memory held by the maps and the mask."""
        n_runs = sum(runs.n_bytes for runs in (self.cut, self.edited) if runs is not None)
        return n_runs + sum(layer.values.nbytes for layer in self.layers.layers)


def empty_prediction(image: NDArray[np.uint8]) -> Prediction:
    """Return the prediction before the first prompt: nothing segmented."""
    height, width = image.shape[:2]
    return Prediction(prompts=(), layers=LayeredMap(height=height, width=width))


def mask_prediction(mask: MaskRuns) -> Prediction:
    """Return what a mask that is there already is edited from; one without a pixel is none."""
    layers = LayeredMap(height=mask.height, width=mask.width)
    return Prediction(prompts=(), layers=layers, edited=mask if mask.rows.size else None)
