"""One pass or round of the network on a window of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfp_model.engines.engine import Engine
from mfp_model.frames.crops import clicks_to_network, crop_to_network
from mfp_model.frames.window import Window
from mfp_model.networks.click_map import click_tensor, draw_click_maps
from mfp_model.networks.image_input import image_tensor
from mfp_model.networks.network import Answer, first_pass, modulated_pass
from mfp_model.prompts import Click
from mfp_model.segmenters.locality import kept_far
from mfp_model.segmenters.obedience import obeyed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """A window of an image as the network sees it.

    Attributes:
        window: The window.
        pixels: RGB uint8 `[S, S, 3]`.
        height: Rows of the image.
        width: Columns of the image.
    """

    window: Window
    pixels: NDArray[np.uint8]
    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WindowAnswer:
    """What the network says of a window.

    Attributes:
        values: Probabilities float32 `[S, S]`, network frame.
        iou: What it thinks its mask's IoU is, 0..1; None from a network that does not say.
    """

    values: NDArray[np.float32]
    iou: float | None


class WindowRounds:
    """Shows windows to a network.

    Args:
        engine: What computes the network.
        device: Where it does.
        averages_flip: Average the logits with those of the mirrored image.
    """

    def __init__(self, engine: Engine, device: torch.device, *, averages_flip: bool) -> None:
        self._engine = engine
        self._device = device
        self._averages_flip = averages_flip

    @property
    def size(self) -> int:
        """Side of the network's input in pixels."""
        return self._engine.config.input_size

    def view(self, image: NDArray[np.uint8], window: Window) -> View:
        """Return a window of an image RGB uint8 `[H, W, 3]`."""
        pixels = crop_to_network(image, window, self.size)
        height, width = image.shape[:2]
        return View(window=window, pixels=pixels, height=height, width=width)

    def first_pass(self, view: View, clicks: tuple[Click, ...]) -> WindowAnswer:
        """Return the answer of a first pass: to image and clicks alone."""
        return self._answer(view, clicks, None)

    def round(
        self,
        view: View,
        clicks: tuple[Click, ...],
        previous: NDArray[np.float32],
        *,
        is_later: bool = False,
    ) -> WindowAnswer:
        """Return the answer of a round, in which every click does what it says.

        Args:
            view: What to look at.
            clicks: All so far, oldest first, image frame; none where the round begins with a box.
            previous: Previous probabilities float32 `[S, S]`, network frame. Where all are zero the
                round has two passes, as a first one has.
            is_later: Whether they answer earlier clicks: then they count far from the newest one.
        """
        if not previous.any() and self._engine.uses_maps:
            previous = self.first_pass(view, clicks).values
        answer = self._answer(view, clicks, previous)
        middles = tuple(_middle(click, view.height, view.width) for click in clicks)
        positions = clicks_to_network(middles, view.window, self.size)
        values = kept_far(answer.values, previous, positions[-1]) if is_later else answer.values
        return WindowAnswer(values=obeyed(values, view.pixels, positions), iou=answer.iou)

    def _answer(
        self, view: View, clicks: tuple[Click, ...], previous: NDArray[np.float32] | None
    ) -> WindowAnswer:
        size = self.size
        inputs = image_tensor(view.pixels, self._device)
        positions = click_tensor([clicks_to_network(clicks, view.window, size)]).to(self._device)
        maps = None if previous is None else torch.from_numpy(previous)[None].to(self._device)
        if self._averages_flip:
            mirrored = positions * positions.new_tensor([-1.0, 1.0, 1.0])
            mirrored += positions.new_tensor([float(size), 0.0, 0.0])
            inputs, positions = (
                torch.cat([inputs, inputs.flip(-1)]),
                torch.cat([positions, mirrored]),
            )
            maps = None if maps is None else torch.cat([maps, maps.flip(-1)])
        with torch.inference_mode():
            logits, iou_logits = self._pass(inputs, maps, positions)
            if self._averages_flip:
                logits = (logits[:1] + logits[1:].flip(-1)) / 2
            values = logits.sigmoid()[0].cpu().numpy()
            iou = float(iou_logits.sigmoid().mean()) if self._engine.estimates_iou else None
        return WindowAnswer(values=np.ascontiguousarray(values, dtype=np.float32), iou=iou)

    def _pass(self, inputs: Tensor, maps: Tensor | None, positions: Tensor) -> Answer:
        click_maps = draw_click_maps(positions, height=self.size, width=self.size)
        if maps is None or not self._engine.uses_maps:
            return first_pass(self._engine, inputs, click_maps)
        return modulated_pass(self._engine, inputs, maps, positions, click_maps)


def _middle(click: Click, height: int, width: int) -> Click:
    """The middle of the pixel that was clicked."""
    row, column = click.pixel(height=height, width=width)
    return Click(x=column + 0.5, y=row + 0.5, is_positive=click.is_positive)
