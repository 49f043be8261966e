"""How fast training is beside a straightforward loop over the samples: `python -m` this module.

The straightforward loop works in the manner of the published trainer: float32, rounds without
gradient before the one that counts, and for every sample of a batch its own click search with
OpenCV on the CPU, its own click maps and its own modulation. The data, the network and the batch
are the same. Both run in one process, in turns, so that a busy machine disturbs them alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from mfp_model.masks.depths import depth
from mfp_model.networks.click_map import click_tensor, draw_click_maps
from mfp_model.networks.modulation import modulate
from mfp_model.networks.network import MfpNetwork, NetworkConfig
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.loop import Run
from mfp_model.training.losses import normalised_focal_loss
from mfp_model.training.rounds import draw_n_rounds
from mfp_model.training.samples import ClickSamples, SampleSource

Clicks = list[list[tuple[float, float, bool]]]


class StraightforwardLoop:
    """One step at a time, one sample at a time."""

    def __init__(
        self, config: TrainingConfig, network: NetworkConfig, samples: ClickSamples
    ) -> None:
        self._config = config
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = MfpNetwork(network).to(self._device)
        self._optimiser = torch.optim.Adam(self._network.parameters(), lr=5e-4)
        self._drawn = (samples[index] for index in count())
        self._generator = torch.Generator().manual_seed(0)
        self._random = np.random.default_rng(0)

    def step(self) -> None:
        batch = list(islice(self._drawn, self._config.phases[0].batch))
        pixels, truth, *_ = (part.to(self._device) for part in default_collate(batch))
        image = pixels.float() / 255
        clicks: Clicks = [[] for _ in batch]
        previous = torch.zeros(truth.shape, device=self._device)
        n_rounds = draw_n_rounds(self._config, self._generator)
        self._network.eval()
        for _ in range(n_rounds - 1):
            self._click(clicks, truth, previous)
            with torch.no_grad():
                previous = self._round(image, previous, clicks)[-1].sigmoid()
        self._click(clicks, truth, previous)
        self._network.train()
        loss = torch.zeros((), device=self._device)
        for logits in self._round(image, previous, clicks):
            loss = loss + normalised_focal_loss(logits, truth)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()

    def _round(self, image: Tensor, previous: Tensor, clicks: Clicks) -> list[Tensor]:
        height, width = image.shape[-2:]
        drawn = [
            draw_click_maps(click_tensor([own]), height=height, width=width)[0] for own in clicks
        ]
        click_maps = torch.stack(drawn).to(self._device)
        passes = []
        if not previous.any():
            nothing = torch.zeros_like(click_maps)
            passes.append(self._network(image, nothing, click_maps).logits)
            previous = passes[0].sigmoid()
        modulated = [
            modulate(previous[i : i + 1].detach(), click_tensor([own]).to(self._device))[0]
            for i, own in enumerate(clicks)
        ]
        maps = torch.stack([previous, torch.stack(modulated)], dim=1)
        return [*passes, self._network(image, maps, click_maps).logits]

    def _click(self, clicks: Clicks, truth: Tensor, previous: Tensor) -> None:
        masks = (previous > 0.5).cpu().numpy()
        for own, wanted, mask in zip(clicks, truth.cpu().numpy(), masks, strict=True):
            missed, excess = depth((wanted > 0) & ~mask), depth((wanted == 0) & mask)
            is_positive = bool(missed.max() > excess.max())
            chosen = missed if is_positive else excess
            if chosen.max() > 0:
                deep = np.flatnonzero(chosen > chosen.max() / 2)
                row, column = divmod(int(self._random.choice(deep)), chosen.shape[1])
                own.append((column + 0.5, row + 0.5, is_positive))


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="a COCO folder")
    parser.add_argument("--backbone", default="lite2")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=15)
    options = parser.parse_args()
    network = NetworkConfig(backbone=options.backbone, input_size=options.size)
    phase = Phase(height=options.size, width=options.size, batch=options.batch)
    configs = {
        scheme: TrainingConfig(
            folders=((options.train, 1.0),), phases=(phase,), n_samples=10**9, scheme=scheme
        )
        for scheme in ("recursive", "streamed")
    }
    source = SampleSource.read(configs["recursive"])
    samples = ClickSamples(source, configs["recursive"], phase)
    plain = StraightforwardLoop(configs["recursive"], network, samples)
    runs = {
        scheme: Run(config, network).steps(source, n_workers=0)
        for scheme, config in configs.items()
    }
    took: dict[str, list[float]] = {"straightforward": [], **{scheme: [] for scheme in runs}}
    for index in range(options.steps + 2):
        times = {"straightforward": _seconds(plain.step)}
        for scheme, steps in runs.items():
            times[scheme] = _seconds(partial(next, steps))
        if index >= 2:  # the first ones warm up
            for name, seconds in times.items():
                took[name].append(seconds)
    # The number of rounds differs from step to step, so the mean counts, not the median.
    for name, each in took.items():
        print(f"{name:16} {options.batch / statistics.mean(each):8.1f} graded samples per second")


if __name__ == "__main__":
    main()
