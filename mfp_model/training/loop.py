"""The training loop, resumable at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from mfp_model.checkpoint import Checkpoint, save_checkpoint
from mfp_model.network import MfpNetwork, NetworkConfig
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.datasets import ClickSamples, SampleSource
from mfp_model.training.rounds import graded_rounds
from mfp_model.training.state import TrainingState, load_state, save_state

_WARM_UP_SAMPLES = 3000
_MAX_GRADIENT_NORM = 5.0

Report = Callable[[dict[str, float]], None]


def train(
    config: TrainingConfig,
    network_config: NetworkConfig,
    out: Path,
    *,
    version: str,
    report: Report,
    save_every_s: float = 120.0,
    n_workers: int = 1,
    stop_after: int | None = None,
) -> None:
    """Train a network and write its averaged weights to `out`.

    Every `save_every_s` seconds and at the end both `out` and `out` + ".state" are written,
    atomically; a run that finds the state file goes on from it.

    Args:
        config: The run.
        network_config: The network.
        out: Checkpoint file.
        version: The checkpoint's version.
        report: Called after every step with `n_seen`, `loss`, `iou`, `samples_per_s`.
        save_every_s: Seconds between two saves.
        n_workers: Processes that prepare samples.
        stop_after: Stop early, resumable, after this many samples.
    """
    run = _Run(config, network_config)
    state_path = out.with_name(out.name + ".state")
    load_state(run.state, state_path)
    source = SampleSource.read(config.folders)
    saved_at = time.monotonic()
    limit = min(config.n_samples, stop_after or config.n_samples)
    while run.state.n_seen < limit:
        phase = config.phase_at(run.state.n_seen)
        for pixels, truth in _batches(source, config, phase, run.state.n_seen, n_workers):
            report(run.step(pixels, truth, freezes_norms=phase.freezes_norms))
            if time.monotonic() - saved_at > save_every_s:
                run.save(out, state_path, version=version)
                saved_at = time.monotonic()
            if run.state.n_seen >= limit or config.phase_at(run.state.n_seen) != phase:
                break
    run.save(out, state_path, version=version)


class _Run:
    """Network, average and optimiser, and one step of them."""

    def __init__(self, config: TrainingConfig, network_config: NetworkConfig) -> None:
        torch.manual_seed(config.seed)
        self._config = config
        self._network_config = network_config
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = MfpNetwork(network_config).to(device=self._device)
        network = network.to(memory_format=torch.channels_last)
        averaged = AveragedModel(
            network, avg_fn=_moving_average(config.average_decay), use_buffers=True
        )
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.state = TrainingState(network=network, averaged=averaged, optimiser=optimiser)

    def step(self, pixels: Tensor, truth: Tensor, *, freezes_norms: bool) -> dict[str, float]:
        """Learn from a batch and report it."""
        started = time.monotonic()
        state, config = self.state, self._config
        generator = np.random.default_rng([config.seed, state.n_seen, 1])
        for group in state.optimiser.param_groups:
            group["lr"] = learning_rate(config, state.n_seen)
        truth = truth.to(self._device)
        image = pixels.to(self._device).permute(0, 3, 1, 2).float().div(255)
        image = image.contiguous(memory_format=torch.channels_last)
        loss, logits = graded_rounds(
            state.network, image, truth, config, generator, freezes_norms=freezes_norms
        )
        state.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), _MAX_GRADIENT_NORM)
        state.optimiser.step()
        state.averaged.update_parameters(state.network)
        state.n_seen += len(truth)
        return {
            "n_seen": state.n_seen,
            "loss": float(loss.detach()),
            "iou": _mean_iou(logits.detach() > 0, truth > 0),
            "samples_per_s": len(truth) / (time.monotonic() - started),
        }

    def save(self, out: Path, state_path: Path, *, version: str) -> None:
        """Write the averaged weights and, beside them, what a later run goes on from."""
        origin = {
            "data": [root.name for root, _ in self._config.folders],
            "training": _plain(self._config),
            "n_seen": self.state.n_seen,
            "torch": torch.__version__,
        }
        weights = self.state.averaged.module.state_dict()
        checkpoint = Checkpoint(
            version=version, config=self._network_config, weights=weights, origin=origin
        )
        save_checkpoint(checkpoint, out, half=True)
        save_state(self.state, state_path)


def learning_rate(config: TrainingConfig, n_seen: int) -> float:
    """Return the learning rate after `n_seen` samples: linear warm-up, then a cosine to zero."""
    warm = min(1.0, (n_seen + 1) / _WARM_UP_SAMPLES)
    done = min(1.0, n_seen / config.n_samples)
    return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * done))


def _moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential average that forgets faster at the start, when weights still move far."""

    def average(averaged: Tensor, current: Tensor, n_averaged: Tensor | int) -> Tensor:
        if not averaged.is_floating_point():
            return current
        kept = min(decay, (1 + int(n_averaged)) / (10 + int(n_averaged)))
        return averaged.lerp(current, 1 - kept)

    return average


def _batches(
    source: SampleSource, config: TrainingConfig, phase: Phase, n_seen: int, n_workers: int
) -> Iterator[tuple[Tensor, Tensor]]:
    samples = ClickSamples(
        source, size=phase.size, seed=config.seed, merge_probability=config.merge_probability
    )
    loader = DataLoader(
        samples,
        batch_size=phase.batch,
        sampler=range(n_seen, config.n_samples + phase.batch),
        num_workers=n_workers,
        drop_last=True,
        prefetch_factor=4 if n_workers else None,
    )
    yield from loader


def _mean_iou(masks: Tensor, truth: Tensor) -> float:
    intersection = (masks & truth).sum(dim=(1, 2))
    union = (masks | truth).sum(dim=(1, 2)).clamp_min(1)
    return float((intersection / union).mean())


def _plain(config: TrainingConfig) -> dict[str, Any]:
    """The config as JSON can hold it; folders by name, whose path is nobody's business."""
    folders = [[root.name, weight] for root, weight in config.folders]
    return {**asdict(config), "folders": folders}
