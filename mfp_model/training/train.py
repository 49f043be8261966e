"""A training run from start to end: resume, learn, log, validate, save."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from mfp_model.checkpoints.checkpoint import Checkpoint, save_checkpoint
from mfp_model.data.coco import OnProblem, refuse
from mfp_model.drawing import png
from mfp_model.engines.device import best_device
from mfp_model.files import is_empty, write_atomically
from mfp_model.networks.network import NetworkConfig
from mfp_model.training import ranks
from mfp_model.training.config import TrainingConfig
from mfp_model.training.curves import append_row, drop_rows_after
from mfp_model.training.loop import Run
from mfp_model.training.overlap import learned_apart
from mfp_model.training.provenance import origin
from mfp_model.training.samples import SampleSource
from mfp_model.training.state import load_state, save_state
from mfp_model.training.threads import ThreadChoice
from mfp_model.training.validation import HeldOut, Validation, held_out_samples, validate

_log = logging.getLogger(__name__)

Report = Callable[[Mapping[str, float]], None]

N_VALIDATION = 128
_LOG_EVERY = 20  # steps averaged in a line of the log


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFiles:
    """Where a run writes, all beside its checkpoint.

    Attributes:
        checkpoint: The best averaged weights by validation, the newest ones without it.
    """

    checkpoint: Path

    @property
    def state(self) -> Path:
        """What a run that was cut goes on from."""
        return self.checkpoint.with_name(self.checkpoint.name + ".state")

    @property
    def log(self) -> Path:
        """A CSV file, a line every 20 steps: samples, loss, IoU, learning rate, speed."""
        return self.checkpoint.with_name(self.checkpoint.stem + ".log.csv")

    @property
    def validation_log(self) -> Path:
        """A CSV file, a line an epoch: samples, score, mean IoU after 1 to 5 clicks."""
        return self.checkpoint.with_name(self.checkpoint.stem + ".validation.csv")

    def sheet(self, epoch: int) -> Path:
        """The picture sheet of an epoch's validation."""
        return self.checkpoint.with_name(f"{self.checkpoint.stem}.epoch-{epoch:03d}.png")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingJob:
    """A run, and what is done with it on the way.

    Attributes:
        config: The run.
        network_config: The network.
        out: Checkpoint file.
        version: The checkpoint's version.
        start: Weights to begin with; None for random ones.
        validation: Data sets, as in `TrainingConfig.folders`, none of whose images should be
            trained on; those that are give a warning in the log.
        leaves_out_shared: Do not learn from these images.
        n_validation: Samples drawn from them.
        epoch_samples: Samples between two validations; None for as many as there are images.
        validates_start: Validate what is begun with, too, for the log alone.
        patience: Validations without a better score after which the run ends; None for no end.
        save_every_s: Seconds between two saves of the state.
        n_workers: Processes that prepare samples, for each rank.
        device: Where to train, see `best_device`; None for `auto`.
        chooses_threads: Compute with as many threads as is fastest at the time, on a CPU.
    """

    config: TrainingConfig
    network_config: NetworkConfig
    out: Path
    version: str
    start: Checkpoint | None = None
    validation: tuple[tuple[Path, float], ...] = ()
    leaves_out_shared: bool = False
    n_validation: int = N_VALIDATION
    epoch_samples: int | None = None
    validates_start: bool = False
    patience: int | None = None
    save_every_s: float = 120.0
    n_workers: int = 1
    device: str | None = None
    chooses_threads: bool = False

    @property
    def files(self) -> TrainingFiles:
        """Where the run writes."""
        return TrainingFiles(checkpoint=self.out)


def train(
    job: TrainingJob,
    *,
    report: Report,
    should_stop: Callable[[], bool] = lambda: False,
    on_problem: OnProblem = refuse,
) -> None:
    """Train a network and write its averaged weights, see `TrainingFiles`.

    A run that finds its state file goes on from the step at which that was written, to the same
    weights as if it had never been cut.

    Args:
        job: What to do.
        report: Called after every step with what `Run.steps` yields.
        should_stop: Asked after every step; True saves the state and ends, to go on later.
        on_problem: Told, before the first step, of each image and object that is damaged and so
            left out; on the first of several processes only.

    Raises:
        DataError: A data set cannot be read.
        CheckpointError: The state file is damaged or of another network.
        ConfigError: No such device. Or as of `Run.steps`; what was saved before stays then.
    """
    device = best_device(job.device or "auto")
    if ranks.rank() != 0:
        on_problem = _tell_nobody
    source = SampleSource.read(job.config, on_problem=on_problem)
    held_out = _held_out(job, on_problem)
    if held_out is not None:
        source = learned_apart(source, held_out.source, leaves_out=job.leaves_out_shared)
    run = _begun(job, device, held_out)
    if _is_out_of_patience(job, run):
        return
    run.state.begin({**origin(job.config, source), "start": job.start and job.start.version})
    if held_out is not None and job.validates_start and is_empty(job.files.validation_log):
        _log_validation(job.files, 0, 0, _validated(run, held_out))
    epoch = job.epoch_samples or sum(len(images) for images in source.folders)
    recent: list[Mapping[str, float]] = []
    unsaved_s, n_before = 0.0, run.state.n_seen
    for step in run.steps(source, n_workers=job.n_workers):
        report(step)
        recent = [*recent, step]
        if len(recent) == _LOG_EVERY:
            _log_mean(job.files.log, recent)
            recent = []
        unsaved_s += step["seconds"]
        is_done = run.state.n_seen >= job.config.n_samples
        stops = is_done or ranks.mean([should_stop()])[0] > 0
        n_epochs = run.state.n_seen // epoch
        if held_out is not None and (is_done or n_epochs > n_before // epoch):
            _finish_epoch(job, run, held_out, n_epochs)
            stops = stops or _is_out_of_patience(job, run)
        if stops or unsaved_s > job.save_every_s:
            if held_out is None:
                _write_weights(job, run)
            save_state(run.state, job.files.state)
            unsaved_s = 0.0
        n_before = run.state.n_seen
        if stops:
            break


def _begun(job: TrainingJob, device: torch.device, held_out: HeldOut | None) -> Run:
    """The run and its curves as its state file left them, if there is one."""
    threads = ThreadChoice() if job.chooses_threads else None
    run = Run(job.config, job.network_config, start=job.start, device=device, threads=threads)
    load_state(run.state, job.files.state)
    if ranks.rank() == 0:
        for path in (job.files.log, job.files.validation_log):
            drop_rows_after(path, run.state.n_seen)
    run.state.begin_judging(held_out.words if held_out else "nothing")
    if run.state.n_seen >= job.config.n_samples:
        _log.info("%s: %d samples are learned from already", job.files.state, run.state.n_seen)
    return run


def _tell_nobody(problem: str) -> None:
    """The first process tells it."""


def _held_out(job: TrainingJob, on_problem: OnProblem) -> HeldOut | None:
    if not job.validation:
        return None
    size, n = job.network_config.input_size, job.n_validation
    return held_out_samples(job.config, job.validation, n=n, size=size, on_problem=on_problem)


def _finish_epoch(job: TrainingJob, run: Run, held_out: HeldOut, epoch: int) -> None:
    """Validate the averaged weights, and keep them where they are the best so far."""
    if ranks.rank() != 0:
        return
    validation = _validated(run, held_out)
    _log_validation(job.files, epoch, run.state.n_seen, validation)
    run.state.n_worse += 1
    if validation.score > run.state.best_score:
        run.state.best_score, run.state.n_worse = validation.score, 0
        _write_weights(job, run, validation_miou_at=validation.miou_at)


def _validated(run: Run, held_out: HeldOut) -> Validation:
    network = run.state.averaged.module.eval()
    with run.precision():
        return validate(network, held_out)  # type: ignore[arg-type]


def _is_out_of_patience(job: TrainingJob, run: Run) -> bool:
    n_worse = run.state.n_worse if ranks.rank() == 0 else 0  # the others do not validate
    return job.patience is not None and ranks.mean([n_worse])[0] * ranks.n_ranks() >= job.patience


def _write_weights(job: TrainingJob, run: Run, **scores: tuple[float, ...]) -> None:
    state = run.state
    provenance = {**state.provenance, **scores} | (
        {"earlier": state.earlier} if state.earlier else {}
    )
    checkpoint = Checkpoint(
        version=job.version,
        config=job.network_config,
        weights=state.averaged.module.state_dict(),
        origin={**provenance, "n_seen": state.n_seen, "n_drawn": state.n_drawn * ranks.n_ranks()},
    )
    if ranks.rank() == 0:
        save_checkpoint(checkpoint, job.out, bits=16)


def _log_mean(path: Path, steps: list[Mapping[str, float]]) -> None:
    if ranks.rank() != 0:
        return
    means = {name: sum(step[name] for step in steps) / len(steps) for name in steps[0]}
    append_row(path, {**means, "n_seen": steps[-1]["n_seen"]})


def _log_validation(files: TrainingFiles, epoch: int, n_seen: int, validation: Validation) -> None:
    at = {f"miou@{k}": value for k, value in enumerate(validation.miou_at, start=1)}
    append_row(
        files.validation_log, {"epoch": epoch, "n_seen": n_seen, "score": validation.score, **at}
    )
    write_atomically(files.sheet(epoch), png(validation.sheet))
