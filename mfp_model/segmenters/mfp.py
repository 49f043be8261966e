"""MFP as a segmenter: rounds of the network around a zoom-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mfp_model.checkpoints.checkpoint import Checkpoint, load_checkpoint
from mfp_model.engines.device import best_device
from mfp_model.engines.engine import Engine
from mfp_model.engines.engine_choice import make_engine
from mfp_model.errors import PromptError
from mfp_model.frames.crops import box_to_network, clicks_to_network
from mfp_model.frames.layered_map import LayeredMap
from mfp_model.frames.window import Window, whole
from mfp_model.masks.runs import MaskRuns
from mfp_model.networks.network import MfpNetwork
from mfp_model.prediction import Prediction
from mfp_model.prompts import Box, Click, Prompt, Stroke, clicks_of
from mfp_model.segmenter import Segmenter, check_image
from mfp_model.segmenters.appearance import Appearance
from mfp_model.segmenters.editing import edited, obeying, previous_map
from mfp_model.segmenters.window_round import View, WindowRounds
from mfp_model.segmenters.zoom import (
    box_window,
    editing_zoom,
    fits,
    next_zoom,
    over_border,
    zoom_window,
)
from mfp_model.weights import DEFAULT_WEIGHTS
from mfp_model.weights.versions import IN_BF16, with_answers


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
        network = checkpoint.network()
        self._takes_boxes = network.takes_boxes
        self._engine = make_engine(engine, network, self._device)
        self._appearance: Appearance | None = None
        if isinstance(network, MfpNetwork) and network.tells_appearance:
            self._appearance = Appearance(network, self._device)
        version = with_answers(checkpoint.identity)
        marks = (IN_BF16 * self._engine.is_bf16, "-flip" * averages_flip)
        self._version = version + "".join(marks)
        self._rounds_on = WindowRounds(self._engine, self._device, averages_flip=averages_flip)

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
        """What answers carry as their model version, see `mfp_model.weights.versions`."""
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
        return self._engine.n_bytes + (self._appearance.n_bytes if self._appearance else 0)

    @property
    def edits(self) -> bool:
        """Whether its network looks at the previous map, which the mask becomes."""
        return self._engine.uses_maps

    @property
    def prompt_kinds(self) -> tuple[type[Prompt], ...]:
        """Boxes, too, of a network that is taught them."""
        return (Click, Stroke, Box) if self._takes_boxes else (Click, Stroke)

    def appearance(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what its network sees in an image, see `Segmenter.appearance`."""
        if self._appearance is None:
            return super().appearance(image)
        check_image(image)
        return self._appearance.of(image)

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        boxes = [prompt for prompt in prompts if isinstance(prompt, Box)]
        if boxes and (previous.edited is not None or boxes != [prompts[0]]):
            raise PromptError("a box: expected it as the first prompt, and no mask to be edited")
        prediction = previous
        for n_prompts in range(len(previous.prompts) + 1, len(prompts) + 1):
            prediction = self._next(image, prompts[:n_prompts], prediction)
            yield prediction

    def _next(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Prediction:
        if previous.edited is not None:
            return self._edit(image, prompts, previous, previous.edited)
        if previous.prompts:
            return self._go_on(image, prompts, previous)
        if isinstance(prompts[0], Box):
            return self._begin_with_box(image, prompts[0], previous.layers)
        return self._begin(image, prompts, previous.layers)

    def _begin(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], layers: LayeredMap
    ) -> Prediction:
        """The first click: a pass on the whole image says where to look, a round looks there."""
        clicks = clicks_of(prompts)
        frame = self._over_border(whole(*image.shape[:2]), clicks, image)
        view = self._rounds_on.view(image, frame)
        first = layers.pasted(frame, self._rounds_on.first_pass(view, clicks).values)
        wanted = zoom_window(first, clicks)
        window = frame if wanted is None or fits(frame, wanted) else wanted
        window = self._over_border(window, clicks, image)
        if window != frame:
            view = self._rounds_on.view(image, window)
        return self._looked(view, prompts, first)

    def _begin_with_box(self, image: NDArray[np.uint8], box: Box, layers: LayeredMap) -> Prediction:
        """The previous map is the box itself."""
        height, width = image.shape[:2]
        window = box_window(box, height=height, width=width)
        box_map = box_to_network(box, window, self._rounds_on.size)
        answer = self._rounds_on.round(self._rounds_on.view(image, window), (), box_map)
        layers = layers.pasted(window, answer.values)
        return Prediction(prompts=(box,), layers=layers, zoom=window, iou=answer.iou)

    def _go_on(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Prediction:
        clicks = clicks_of(prompts)
        window = next_zoom(previous, clicks) or whole(*image.shape[:2])
        view = self._rounds_on.view(image, self._over_border(window, clicks, image))
        return self._looked(view, prompts, previous.layers, is_later=True)

    def _looked(
        self,
        view: View,
        prompts: tuple[Prompt, ...],
        layers: LayeredMap,
        *,
        is_later: bool = False,
    ) -> Prediction:
        """One round on a window, pasted over what was known."""
        previous_values = layers.resampled(view.window, self._rounds_on.size)
        answer = self._rounds_on.round(view, clicks_of(prompts), previous_values, is_later=is_later)
        layers = layers.pasted(view.window, answer.values)
        return Prediction(prompts=prompts, layers=layers, zoom=view.window, iou=answer.iou)

    def _edit(
        self,
        image: NDArray[np.uint8],
        prompts: tuple[Prompt, ...],
        previous: Prediction,
        mask: MaskRuns,
    ) -> Prediction:
        clicks, size = clicks_of(prompts), self._rounds_on.size
        window = self._over_border(editing_zoom(mask, clicks), clicks, image)
        previous_values = previous_map(previous.layers, mask, window, size)
        answer = self._rounds_on.round(self._rounds_on.view(image, window), clicks, previous_values)
        layers = previous.layers.pasted(window, answer.values)
        (click,) = clicks_to_network(clicks[-1:], window, size)
        changed = edited(mask, layers, window, click=click, n_edits=previous.n_edits)
        return Prediction(
            prompts=prompts,
            layers=layers,
            zoom=window,
            edited=obeying(mask if changed is None else changed, layers, clicks[-1]),
            n_edits=previous.n_edits + (changed is not None),
            iou=answer.iou,
        )

    def _over_border(
        self, window: Window, clicks: tuple[Click, ...], image: NDArray[np.uint8]
    ) -> Window:
        height, width = image.shape[:2]
        return over_border(window, clicks, height=height, width=width)
