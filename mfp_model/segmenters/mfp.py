"""MFP as a segmenter: rounds of the network around a zoom-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mfp_model.checkpoints.checkpoint import Checkpoint, load_checkpoint
from mfp_model.engines.choice import make_engine
from mfp_model.engines.device import best_device
from mfp_model.engines.engine import Engine
from mfp_model.frames.transforms import (
    LayeredMap,
    Window,
    clicks_to_network,
    crop_to_network,
    whole,
)
from mfp_model.masks.runs import MaskRuns
from mfp_model.networks.click_map import click_tensor
from mfp_model.networks.network import run_round
from mfp_model.prediction import Prediction
from mfp_model.prompts import Click, Prompt, clicks_of
from mfp_model.segmenter import Segmenter
from mfp_model.segmenters.editing import edited, previous_map
from mfp_model.segmenters.zoom import editing_zoom, first_zoom, next_zoom
from mfp_model.weights import DEFAULT_WEIGHTS


class MfpSegmenter(Segmenter):
    """The MFP network with zoom-in, see `mfp_model.segmenters.zoom`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str = "auto",
        engine: str = "auto",
        averages_flip: bool = False,
    ) -> None:
        """Build the network and make an engine of it.

        Args:
            checkpoint: The weights.
            device: See `best_device`.
            engine: What computes there, see `mfp_model.engines`.
            averages_flip: Average each round's logits with those of the mirrored image, as
                the published evaluation does; twice the cost.

        Raises:
            ConfigError: Unknown device or engine.
            CheckpointError: The weights do not fit the network.
        """
        self._device = best_device(device)
        self._engine = make_engine(engine, checkpoint.network(), self._device)
        self._size = checkpoint.config.input_size
        self._version = checkpoint.version
        self._averages_flip = averages_flip

    @classmethod
    def load(
        cls, path: Path | None = None, *, device: str = "auto", engine: str = "auto"
    ) -> MfpSegmenter:
        """Return the segmenter with the weights in `path`, the shipped ones by default.

        Raises:
            ConfigError: Unknown device or engine.
            CheckpointError: The file cannot be loaded.
        """
        return cls(load_checkpoint(path or DEFAULT_WEIGHTS), device=device, engine=engine)

    @property
    def version(self) -> str:
        """What answers carry as their model version."""
        return self._version

    @property
    def device(self) -> str:
        """Where the network runs, and by which engine."""
        return f"{self._device}, {self._engine.name}"

    @property
    def engine(self) -> Engine:
        """What computes its network."""
        return self._engine

    @property
    def n_bytes(self) -> int:
        """What its engine holds, about."""
        return self._engine.n_bytes

    @property
    def edits(self) -> bool:
        """Whether its network looks at the previous map, which the mask becomes."""
        return self._engine.uses_maps

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        prediction = previous
        for n_prompts in range(len(previous.prompts) + 1, len(prompts) + 1):
            prediction = self._next(image, prompts[:n_prompts], prediction)
            yield prediction

    def _next(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Prediction:
        frame, clicks = whole(*image.shape[:2]), clicks_of(prompts)
        if previous.edited is not None:
            return self._edit(image, prompts, previous, previous.edited)
        if not previous.prompts:
            first = self._look(image, frame, clicks, previous.layers)
            wanted = first_zoom(first, clicks)
            if wanted is None:
                return Prediction(prompts=prompts, layers=first, zoom=None)
            layers = self._look(image, wanted, clicks, first)
            return Prediction(prompts=prompts, layers=layers, zoom=wanted)
        zoom = next_zoom(previous, clicks)
        layers = self._look(image, zoom or frame, clicks, previous.layers)
        return Prediction(prompts=prompts, layers=layers, zoom=zoom)

    def _edit(
        self,
        image: NDArray[np.uint8],
        prompts: tuple[Prompt, ...],
        previous: Prediction,
        mask: MaskRuns,
    ) -> Prediction:
        clicks = clicks_of(prompts)
        window = editing_zoom(mask, clicks)
        known = previous_map(previous.layers, mask, window, self._size)
        layers = previous.layers.pasted(window, self._round(image, window, clicks, known))
        (click,) = clicks_to_network(clicks[-1:], window, self._size)
        changed = edited(mask, layers, window, click=click, n_edits=previous.n_edits)
        return Prediction(
            prompts=prompts,
            layers=layers,
            zoom=window,
            edited=mask if changed is None else changed,
            n_edits=previous.n_edits + (changed is not None),
        )

    def _look(
        self,
        image: NDArray[np.uint8],
        window: Window,
        clicks: tuple[Click, ...],
        layers: LayeredMap,
    ) -> LayeredMap:
        """One round on the window, pasted over what was known."""
        known = layers.resampled(window, self._size)
        return layers.pasted(window, self._round(image, window, clicks, known))

    def _round(
        self,
        image: NDArray[np.uint8],
        window: Window,
        clicks: tuple[Click, ...],
        known: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """The probabilities of the window `[S, S]`, given the previous ones `[S, S]`."""
        size = self._size
        pixels = torch.from_numpy(crop_to_network(image, window, size)).to(self._device)
        inputs = pixels.permute(2, 0, 1)[None].float().div(255)
        maps = torch.from_numpy(known)[None].to(self._device)
        positions = click_tensor([clicks_to_network(clicks, window, size)]).to(self._device)
        if self._averages_flip:
            mirrored = positions * torch.tensor([-1.0, 1.0, 1.0], device=self._device)
            mirrored += torch.tensor([float(size), 0.0, 0.0], device=self._device)
            inputs, maps = (torch.cat([x, x.flip(-1)]) for x in (inputs, maps))
            positions = torch.cat([positions, mirrored])
        with torch.inference_mode():
            logits = run_round(self._engine, inputs, maps, positions)
            if self._averages_flip:
                logits = (logits[:1] + logits[1:].flip(-1)) / 2
            values = logits.sigmoid()[0].cpu().numpy()
        return np.ascontiguousarray(values, dtype=np.float32)
