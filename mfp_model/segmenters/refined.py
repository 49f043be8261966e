"""MFP with a graph cut behind it: the map's boundary moves to the image's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mfp_model.graph_cut.constants import GraphCutConfig
from mfp_model.graph_cut.refinement import refined
from mfp_model.graph_cut.seeds import seeds_of
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import MASK_THRESHOLD, Prediction
from mfp_model.prompts import Prompt
from mfp_model.segmenter import Segmenter

REFINEMENT = GraphCutConfig(smoothness=0.5, band_px=3)  # chosen on 26 training objects


class RefinedSegmenter(Segmenter):
    """Another segmenter's probability maps as costs of a cut, with clicks as hard seeds."""

    def __init__(self, inner: Segmenter, config: GraphCutConfig = REFINEMENT) -> None:
        self._inner = inner
        self._config = config

    @property
    def version(self) -> str:
        """The inner segmenter's, marked."""
        return f"{self._inner.version}-refined"

    @property
    def n_bytes(self) -> int:
        """The inner segmenter's."""
        return self._inner.n_bytes

    @property
    def device(self) -> str:
        """Where the inner segmenter computes; the cut runs on the CPU."""
        return self._inner.device

    @property
    def prompt_kinds(self) -> tuple[type[Prompt], ...]:
        """The inner segmenter's."""
        return self._inner.prompt_kinds

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        """Yield the inner segmenter's predictions, each with its cut."""
        height, width = image.shape[:2]
        for prediction in self._inner.rounds(image, prompts, previous):
            seeds = seeds_of(prediction.prompts, height=height, width=width, radius=0.0)
            mask = refined(
                image,
                prediction.probability_map,
                seeds,
                self._config,
                threshold=MASK_THRESHOLD,
            )
            yield dataclasses.replace(prediction, cut=MaskRuns.of(mask))
