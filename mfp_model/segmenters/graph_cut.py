"""Graph cuts as a segmenter, on colours or on a network's features."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mfp_model.engines.device import best_device
from mfp_model.graph_cut.constants import GraphCutConfig
from mfp_model.graph_cut.features import FeatureEncoder, load_encoder
from mfp_model.graph_cut.ground import Ground
from mfp_model.graph_cut.levels import segment
from mfp_model.graph_cut.seeds import OBJECT, seeds_of
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import Prediction, empty_prediction
from mfp_model.prompts import Prompt
from mfp_model.segmenter import Segmenter
from mfp_model.weights.versions import with_answers


class GraphCutSegmenter(Segmenter):
    """The cheapest boundary between positive and negative clicks and strokes.

    No seed's pixel ever gets the other label, and each part of the mask has a positive one.
    """

    def __init__(
        self, config: GraphCutConfig, encoder: FeatureEncoder | None, *, device: str = "cpu"
    ) -> None:
        """Cut with these constants; by the encoder's features, or by colours without one."""
        self._config = config
        self._encoder = encoder
        self._device = device

    @classmethod
    def load(
        cls, config: GraphCutConfig, *, checkpoint: Path | None = None, device: str = "auto"
    ) -> GraphCutSegmenter:
        """Return the segmenter; with deep features, `checkpoint` is what `load_encoder` takes.

        Raises:
            ConfigError: Unknown device.
            CheckpointError: The file cannot be loaded.
        """
        if config.features == "rgb":
            return cls(config, None)
        where = best_device(device)
        return cls(config, load_encoder(checkpoint, where), device=str(where))

    @property
    def version(self) -> str:
        """The features' names, digits of the constants' digest, and the code's number."""
        constants = json.dumps(dataclasses.asdict(self._config), sort_keys=True)
        digest = hashlib.sha256(constants.encode()).hexdigest()[:6]
        features = self._encoder.version if self._encoder else "rgb"
        return with_answers(f"graph-cut-{features}-{digest}")

    @property
    def n_bytes(self) -> int:
        """What its features' network holds."""
        return self._encoder.n_bytes if self._encoder else 0

    @property
    def device(self) -> str:
        """Where the features come from; the cut itself runs on the CPU."""
        return self._device

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        """Yield the prediction after the last prompt."""
        cut = MaskRuns.of(self._mask(image, prompts))
        yield dataclasses.replace(empty_prediction(image), prompts=prompts, cut=cut)

    def _mask(self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...]) -> NDArray[np.bool_]:
        height, width = image.shape[:2]
        radius = self._config.seed_radius * max(height, width)
        seeds = seeds_of(prompts, height=height, width=width, radius=radius)
        if not (seeds.signs == OBJECT).any():
            return np.zeros((height, width), dtype=np.bool_)
        deep = self._encoder.features(image) if self._encoder else None
        ground = Ground.of(image, deep, self._config)
        return segment(image, ground, seeds, self._config)
