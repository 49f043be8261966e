"""The training loop: recursive rounds, loss on the last one, resumable at any step.

Source: MFP, section 3.4: clicks answer the network's own mistakes, all rounds but the last
run without gradient in evaluation mode, the last gives the loss.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from mfp_model.checkpoint import Checkpoint, save_checkpoint
from mfp_model.click_map import click_tensor, draw_click_maps
from mfp_model.click_simulation import depth, next_click
from mfp_model.network import MfpNetwork, NetworkConfig, first_pass, modulated_pass, run_round
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.datasets import ClickSamples, SampleSource
from mfp_model.training.losses import normalised_focal_loss
from mfp_model.training.state import TrainingState, load_state, save_state

_WARM_UP_SAMPLES = 3000
_MAX_GRADIENT_NORM = 5.0

Report = Callable[[dict[str, float]], None]
Sequences = list[list[tuple[float, float, bool]]]


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
            report(run.step(pixels, truth))
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

    def step(self, pixels: Tensor, truth: Tensor) -> dict[str, float]:
        """Learn from a batch and report it."""
        started = time.monotonic()
        state, config = self.state, self._config
        generator = np.random.default_rng([config.seed, state.n_seen, 1])
        for group in state.optimiser.param_groups:
            group["lr"] = learning_rate(config, state.n_seen)
        truth = truth.to(self._device)
        image = pixels.to(self._device).permute(0, 3, 1, 2).float().div(255)
        image = image.contiguous(memory_format=torch.channels_last)
        loss, logits = _graded_rounds(state.network, image, truth, config, generator)
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


def draw_n_rounds(config: TrainingConfig, generator: np.random.Generator) -> int:
    """Return a number of rounds in 1..max_rounds with p ~ round_decay^k."""
    weights = config.round_decay ** np.arange(config.max_rounds)
    return 1 + int(generator.choice(config.max_rounds, p=weights / weights.sum()))


def extend_clicks(
    sequences: Sequences,
    truth: NDArray[np.bool_],
    masks: NDArray[np.bool_],
    generator: np.random.Generator,
) -> None:
    """Append each sample's next training click to its sequence, in place.

    The first click lies in the deep inside of the object, later ones in the deep inside of
    the larger error. A sample without error keeps its sequence and repeats its last click.

    Args:
        sequences: B sequences of (x, y, is_positive), network frame.
        truth: bool `[B, H, W]`.
        masks: bool `[B, H, W]`, the answers so far.
        generator: Where the randomness comes from.
    """
    for sequence, wanted, mask in zip(sequences, truth, masks, strict=True):
        if not sequence and generator.random() < 0.5:  # near the centre half of the time
            inside = depth(wanted)
            nearest = np.flatnonzero(inside >= 0.8 * max(float(inside.max()), 1.0))
            if nearest.size:
                row, column = divmod(int(generator.choice(nearest)), wanted.shape[1])
                sequence.append((column + 0.5, row + 0.5, True))
                continue
        click = next_click(wanted, mask, generator=generator)
        if click is not None:
            sequence.append((click.column + 0.5, click.row + 0.5, click.is_positive))


def _moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential average that forgets faster at the start, when weights still move far."""

    def average(averaged: Tensor, current: Tensor, n_averaged: Tensor | int) -> Tensor:
        if not averaged.is_floating_point():
            return current
        kept = min(decay, (1 + int(n_averaged)) / (10 + int(n_averaged)))
        return averaged.lerp(current, 1 - kept)

    return average


def _graded_rounds(
    network: MfpNetwork,
    image: Tensor,
    truth: Tensor,
    config: TrainingConfig,
    generator: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Loss and logits of the last of a random number of rounds."""
    n_rounds = draw_n_rounds(config, generator)
    wanted = truth.bool().cpu().numpy()
    sequences: Sequences = [[] for _ in wanted]
    previous = torch.zeros(truth.shape, device=image.device)
    network.eval()
    for _ in range(n_rounds - 1):
        extend_clicks(sequences, wanted, (previous > 0.5).cpu().numpy(), generator)
        with torch.no_grad():
            clicks = click_tensor(sequences).to(image.device)
            previous = run_round(network, image, previous, clicks).sigmoid()
    extend_clicks(sequences, wanted, (previous > 0.5).cpu().numpy(), generator)
    clicks = click_tensor(sequences).to(image.device)
    click_maps = draw_click_maps(clicks, height=image.shape[2], width=image.shape[3])
    network.train()
    loss = torch.zeros((), device=image.device)
    if n_rounds == 1:
        first = first_pass(network, image, click_maps)
        loss = loss + normalised_focal_loss(first, truth)
        previous = first.sigmoid()
    logits = modulated_pass(network, image, previous, clicks, click_maps)
    return loss + normalised_focal_loss(logits, truth), logits


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
