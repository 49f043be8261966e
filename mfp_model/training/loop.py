"""The training loop, resumable at any step."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, default_collate

from mfp_model.checkpoints.checkpoint import Checkpoint, build_network
from mfp_model.engines.device import has_fast_bf16
from mfp_model.errors import ConfigError, MfpError
from mfp_model.networks.network import ClickNetwork, MfpNetwork, NetworkConfig
from mfp_model.training import ranks
from mfp_model.training.adversary import Adversary
from mfp_model.training.config import TrainingConfig
from mfp_model.training.drawn import DrawnRounds
from mfp_model.training.losses import sample_ious
from mfp_model.training.rounds import Graded, RecursiveRounds
from mfp_model.training.samples import ClickSamples, Sample, SampleSource
from mfp_model.training.state import TrainingState
from mfp_model.training.stream import StreamedRounds
from mfp_model.training.threads import ThreadChoice

_MAX_GRADIENT_NORM = 5.0

Rounds = StreamedRounds | RecursiveRounds | DrawnRounds
_ROUNDS: dict[str, type[Rounds]] = {
    "streamed": StreamedRounds,
    "recursive": RecursiveRounds,
    "drawn": DrawnRounds,
}


class Run:
    """Network, average and optimiser; `steps` learns and tells."""

    def __init__(
        self,
        config: TrainingConfig,
        network_config: NetworkConfig,
        *,
        start: Checkpoint | None = None,
        device: torch.device | None = None,
        threads: ThreadChoice | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network_config = network_config
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._threads = threads
        network = build_network(network_config) if start is None else start.network()
        network = network.to(device=self.device)
        network = network.to(memory_format=torch.channels_last)
        averaged = AveragedModel(
            network, avg_fn=_moving_average(config.average_decay), use_buffers=True
        )
        groups = _parameter_groups(network, config)
        optimiser = torch.optim.AdamW(
            groups, lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.state = TrainingState(
            network=network,
            averaged=averaged,
            optimiser=optimiser,
            adversary=Adversary(self.device) if config.adversarial_weight else None,
        )

    def steps(self, source: SampleSource, *, n_workers: int = 1) -> Iterator[dict[str, float]]:
        """Learn from one batch after the other until the run is done.

        Yields after every step `n_seen`, `loss`, `iou`, `learning_rate`, `seconds`,
        `samples_per_s` that gave loss and `images_per_s` that were new.

        Raises:
            ConfigError: The loss or its gradient is not finite any more, or a phase's batch cannot
                be divided among the processes.
        """
        state, config = self.state, self.config
        while state.n_seen < config.n_samples:
            index = config.phase_at(state.n_seen)
            phase = config.phases[index]
            rounds = self._rounds(index)
            samples = _drawn(ClickSamples(source, config, phase), state.n_drawn, n_workers)
            while state.n_seen < config.n_samples and config.phase_at(state.n_seen) == index:
                started = time.monotonic()
                with self._threads.step() if self._threads else nullcontext():
                    graded = self._step(rounds, samples, freezes_norms=phase.freezes_norms)
                iou = float(sample_ious(graded.logits.detach() > 0, graded.truth).mean())
                seconds = time.monotonic() - started
                loss, iou, seconds = ranks.mean([float(graded.loss.detach()), iou, seconds])
                yield {
                    "n_seen": state.n_seen,
                    "loss": loss,
                    "iou": iou,
                    "learning_rate": learning_rate(config, state.n_seen),
                    "samples_per_s": phase.batch / seconds,
                    "images_per_s": graded.n_new * ranks.n_ranks() / seconds,
                    "seconds": seconds,
                }

    def precision(self) -> torch.autocast:
        """Return the context of all passes: bfloat16 where the device is fast in it."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=has_fast_bf16(self.device))

    def _rounds(self, index: int) -> Rounds:
        """The rounds of a phase, with the state's samples in work where they are of its kind."""
        phase = self.config.phases[index]
        if phase.batch % ranks.n_ranks():
            raise ConfigError(
                f"phase batch={phase.batch}: expected a multiple of the {ranks.n_ranks()} processes"
            )
        kind = _ROUNDS[self.config.scheme]
        rounds = kind(self.config, batch=phase.batch // ranks.n_ranks(), phase=phase)
        rounds.to(self.device)
        if self.state.phase == index and _same_shapes(rounds.state_dict(), self.state.rounds):
            rounds.load_state_dict(self.state.rounds)
        self.state.phase = index
        return rounds

    def _step(
        self,
        rounds: Rounds,
        samples: Iterator[Sample],
        *,
        freezes_norms: bool,
    ) -> Graded:
        state, config = self.state, self.config
        seed = config.seed * 1_000_003 + state.n_seen + ranks.rank()
        generator = torch.Generator().manual_seed(seed)
        for group in state.optimiser.param_groups:
            group["lr"] = learning_rate(config, state.n_seen) * group["rate"]
        state.network.train()
        if freezes_norms:
            _freeze_norms(state.network)

        def draw(n: int) -> Sample:
            return Sample(*default_collate(list(islice(samples, n))))

        with self.precision():
            graded = rounds.graded(state.network, draw, generator)
        self._descend(graded)
        state.n_seen += len(graded.truth) * ranks.n_ranks()
        state.n_drawn += graded.n_new
        state.rounds = rounds.state_dict()
        return graded

    def _descend(self, graded: Graded) -> None:
        """Take the step along the gradient of graded answers, with the adversary and the average.

        Raises:
            ConfigError: The gradient is not finite.
        """
        state, config, loss = self.state, self.config, graded.loss
        if state.adversary:
            penalty = state.adversary.penalty(graded.image, graded.logits)
            loss = loss + config.adversarial_weight * penalty
        state.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        ranks.average_gradients(state.network)
        norm = nn.utils.clip_grad_norm_(state.network.parameters(), _MAX_GRADIENT_NORM)
        if not math.isfinite(float(norm)):  # a step with it would leave nothing to go on from
            raise ConfigError(
                f"learning_rate={config.learning_rate:g}: the gradient is {float(norm)} after "
                f"{state.n_seen} samples; expected a lower rate, with which the saved state goes on"
            )
        state.optimiser.step()
        if state.adversary:
            state.adversary.learn(graded.image, graded.logits, graded.truth)
        state.averaged.update_parameters(state.network)


def _parameter_groups(network: ClickNetwork, config: TrainingConfig) -> list[dict[str, Any]]:
    """All parameters, or those of a pretrained encoder that learns slower apart from the others."""
    encoder: list[nn.Parameter] = []
    if config.encoder_rate < 1 and isinstance(network, MfpNetwork):
        encoder = network.encoder_parameters()
    slow = {id(parameter) for parameter in encoder}
    others = [parameter for parameter in network.parameters() if id(parameter) not in slow]
    groups: list[dict[str, Any]] = [{"params": others, "rate": 1.0}]
    if encoder:
        groups.append({"params": encoder, "rate": config.encoder_rate, "weight_decay": 0.0})
    return groups


def learning_rate(config: TrainingConfig, n_seen: int) -> float:
    """Return the learning rate after `n_seen` samples, see `TrainingConfig.schedule`."""
    done = min(1.0, n_seen / config.n_samples)
    if config.schedule == "steps":
        return config.learning_rate * 0.1 ** sum(done >= share for share in config.milestones)
    warm = min(1.0, (n_seen + 1) / min(config.warm_up_samples, config.n_samples))
    return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * done))


def _same_shapes(tensors: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    return {name: value.shape for name, value in tensors.items()} == {
        name: value.shape for name, value in others.items()
    }


def _freeze_norms(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential average that forgets faster at the start, when weights still move far."""

    def average(averaged: Tensor, current: Tensor, n_averaged: Tensor | int) -> Tensor:
        if not averaged.is_floating_point():
            return current
        kept = min(decay, (1 + int(n_averaged)) / (10 + int(n_averaged)))
        return averaged.lerp(current, 1 - kept)

    return average


def _drawn(samples: ClickSamples, n_drawn: int, n_workers: int) -> Iterator[Sample]:
    loader = DataLoader(
        samples,
        batch_size=None,
        sampler=range(n_drawn * ranks.n_ranks() + ranks.rank(), 2**40, ranks.n_ranks()),
        num_workers=n_workers,
        prefetch_factor=16 if n_workers else None,
        worker_init_fn=_leave_group,
    )
    try:
        yield from loader
    except MfpError as error:  # a worker's has the whole traceback in its message
        kind, reason = type(error), str(error).strip().splitlines()[-1]
        raise kind(reason.removeprefix(f"{kind.__module__}.{kind.__name__}: ")) from None


def _leave_group(worker: int) -> None:
    """Let a signal to the whole group, such as Ctrl-C, reach the training alone.

    It ends after its step, with its state saved, and needs this process until then.
    """
    os.setpgid(0, 0)
