"""Where the time of a later click goes, step by step, in this process."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backend.label_studio import brush_rle
from mfp_model.frames.crops import clicks_to_network, crop_to_network
from mfp_model.frames.window import whole
from mfp_model.masks.specks import remove_specks
from mfp_model.networks.click_map import click_tensor, draw_click_maps
from mfp_model.networks.image_input import image_tensor
from mfp_model.networks.modulation import modulate
from mfp_model.prediction import Prediction
from mfp_model.prompts import Click
from mfp_model.segmenter import Segmenter
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.segmenters.zoom import next_zoom


def median_ms(compute: Callable[[], Any], *, n_repeats: int) -> float:
    """Return how long a call takes, once warm."""
    compute()
    taken = []
    for _ in range(n_repeats):
        started = time.perf_counter()
        compute()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def step_ms(
    segmenter: Segmenter, image: NDArray[np.uint8], clicks: Sequence[Click], *, n_repeats: int
) -> dict[str, float]:
    """Return the median milliseconds of each step of answering the last click.

    Args:
        segmenter: What answers; MFP's round is taken apart.
        image: RGB uint8 `[H, W, 3]`.
        clicks: At least two.
        n_repeats: Of each step.
    """
    previous = segmenter.segment(image, clicks[:-1])
    prediction = segmenter.segment(image, clicks, previous)
    steps: dict[str, Callable[[], Any]] = {}
    if isinstance(segmenter, MfpSegmenter) and segmenter.device.startswith("cpu"):
        steps |= _round_steps(segmenter, image, previous, tuple(clicks))
    else:
        steps["round"] = lambda: segmenter.segment(image, clicks, previous)
    runs = prediction.runs
    cleaned = remove_specks(runs, clicks)
    rle = brush_rle.encode_runs(cleaned)
    steps["mask"] = lambda: prediction.runs
    steps["specks"] = lambda: remove_specks(runs, clicks)
    steps["brush RLE"] = lambda: brush_rle.encode_runs(cleaned)
    steps["JSON"] = lambda: json.dumps(rle)
    return {name: median_ms(step, n_repeats=n_repeats) for name, step in steps.items()}


def _round_steps(
    segmenter: MfpSegmenter,
    image: NDArray[np.uint8],
    previous: Prediction,
    clicks: tuple[Click, ...],
) -> dict[str, Callable[[], Any]]:
    engine = segmenter.engine
    size = engine.config.input_size
    window = next_zoom(previous, clicks) or whole(*image.shape[:2])
    crop = crop_to_network(image, window, size)
    pixels = image_tensor(crop, torch.device("cpu"))
    previous_map = torch.from_numpy(previous.layers.resampled(window, size))[None]
    places = click_tensor([clicks_to_network(clicks, window, size)])
    click_maps = draw_click_maps(places, height=size, width=size)
    modulated = modulate(previous_map, places, engine.config.modulation, image=pixels)
    maps = torch.stack([previous_map, modulated], dim=1)
    values = previous_map[0].numpy().copy()
    return {
        "zoom": lambda: next_zoom(previous, clicks),
        "crop": lambda: crop_to_network(image, window, size),
        "previous map": lambda: previous.layers.resampled(window, size),
        "click maps": lambda: draw_click_maps(places, height=size, width=size),
        "modulation": lambda: modulate(
            previous_map, places, engine.config.modulation, image=pixels
        ),
        "network": lambda: engine(pixels, maps, click_maps),
        "paste": lambda: previous.layers.pasted(window, values),
    }
