"""Validation during training: the same held-out samples every time, clicked on automatically."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import default_collate

from mfp_model.data.automatic_clicks import deepest_next_clicks
from mfp_model.data.coco import OnProblem, refuse
from mfp_model.drawing import NEGATIVE, POSITIVE, draw_dot
from mfp_model.networks.click_map import append_clicks
from mfp_model.networks.network import ClickNetwork, run_round
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.losses import sample_ious
from mfp_model.training.provenance import data_of
from mfp_model.training.samples import ClickSamples, SampleSource

_N_CLICKS = 5
_SEED = 1
_BATCH = 16
_N_PICTURES = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Validation:
    """What a validation found.

    Attributes:
        miou_at: Mean IoU after 1 to 5 clicks.
        sheet: RGB uint8 `[H, W, 3]`; a row a sample: image with clicks, probability, mask, truth.
    """

    miou_at: tuple[float, ...]
    sheet: NDArray[np.uint8]

    @property
    def score(self) -> float:
        """The mean of `miou_at`; the run's best weights are those with the highest."""
        return sum(self.miou_at) / len(self.miou_at)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOut:
    """Samples as inference meets them: one object, from nothing.

    Attributes:
        samples: They, and others behind them.
        n: How many count.
        source: Where they come from.
        words: What they are drawn from and how; where that differs, scores cannot be compared.
    """

    samples: ClickSamples
    n: int
    source: SampleSource
    words: str


def held_out_samples(
    config: TrainingConfig,
    folders: tuple[tuple[Path, float], ...],
    *,
    n: int,
    size: int,
    on_problem: OnProblem = refuse,
) -> HeldOut:
    """Return what a run is validated on.

    Args:
        config: The run's.
        folders: Held-out data sets, as in `TrainingConfig.folders`.
        n: How many samples.
        size: Rows and columns of a sample in pixels.
        on_problem: Told of each image and each object that is damaged and so left out.

    Raises:
        DataError: A data set cannot be read.
    """
    plain = replace(
        config,
        folders=folders,
        merge_probability=0.0,
        paste_probability=0.0,
        prior_probability=0.0,
        box_probability=0.0,
        seed=_SEED,
    )
    source = SampleSource.read(plain, on_problem=on_problem)
    samples = ClickSamples(source, plain, Phase(height=size, width=size, batch=2))
    words = json.dumps([data_of(plain, source), plain.min_object_px, plain.size_power, n, size])
    return HeldOut(samples=samples, n=n, source=source, words=words)


def validate(network: ClickNetwork, held_out: HeldOut) -> Validation:
    """Return the scores of `network` on held-out samples.

    Args:
        network: In evaluation mode.
        held_out: Samples that are not among those trained on.
    """
    samples, n = held_out.samples, held_out.n
    device = next(network.parameters()).device
    ious: list[list[float]] = []
    rows: list[NDArray[np.uint8]] = []
    for start in range(0, n, _BATCH):
        batch = default_collate([samples[index] for index in range(start, min(n, start + _BATCH))])
        pixels, truth = batch.pixels.to(device), batch.truth.to(device)
        image = pixels.float().div(255).contiguous(memory_format=torch.channels_last)
        rounds = list(_rounds(network, image, truth))
        by_click = [sample_ious(probability > 0.5, truth) for _, probability in rounds]
        ious.append(torch.stack(by_click).mean(dim=1).tolist())
        clicks, probability = rounds[-1]
        room = _N_PICTURES - len(rows)
        rows += _pictures(pixels[:room], truth[:room], probability[:room], clicks[:room])
    weights = [min(_BATCH, n - start) for start in range(0, n, _BATCH)]
    miou_at = np.average(np.array(ious), axis=0, weights=weights)
    return Validation(miou_at=tuple(float(value) for value in miou_at), sheet=np.vstack(rows))


@torch.no_grad()
def _rounds(network: ClickNetwork, image: Tensor, truth: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    clicks = torch.zeros(len(truth), _N_CLICKS, 3, device=image.device)
    probability = torch.zeros(truth.shape, device=image.device)
    for _ in range(_N_CLICKS):
        clicks = append_clicks(clicks, deepest_next_clicks(truth, probability > 0.5))
        probability = run_round(network, image, probability, clicks).logits.sigmoid()
        yield clicks, probability


def _pictures(
    pixels: Tensor, truth: Tensor, probability: Tensor, clicks: Tensor
) -> list[NDArray[np.uint8]]:
    rows = []
    for image, wanted, values, sequence in zip(
        pixels.cpu().numpy(),
        truth.cpu().numpy(),
        probability.float().cpu().numpy(),
        clicks.cpu().numpy(),
        strict=True,
    ):
        marked = np.ascontiguousarray(image.transpose(1, 2, 0))
        for x, y, sign in sequence[sequence[:, 2] != 0]:
            draw_dot(marked, x, y, colour=POSITIVE if sign > 0 else NEGATIVE, radius_px=3)
        greys = [values, values > 0.5, np.where(wanted < 0, 0.5, wanted)]
        tiles = [np.repeat((255 * grey).astype(np.uint8)[..., None], 3, axis=2) for grey in greys]
        rows.append(np.hstack([marked, *tiles]))
    return rows
