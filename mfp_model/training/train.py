"""A training run from start to end: resume, learn, log, validate, save."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import torch

from mfp_model.checkpoints.checkpoint import Checkpoint, save_checkpoint
from mfp_model.data.coco import OnProblem, refuse
from mfp_model.drawing import png
from mfp_model.engines.device import best_device
from mfp_model.files import is_empty, write_atomically
from mfp_model.training import ranks
from mfp_model.training.curves import MeanLog, append_row, drop_rows_after
from mfp_model.training.job import TrainingFiles, TrainingJob
from mfp_model.training.loop import Run
from mfp_model.training.overlap import learned_apart
from mfp_model.training.provenance import origin
from mfp_model.training.samples import SampleSource
from mfp_model.training.state import load_state, save_state
from mfp_model.training.threads import ThreadChoice
from mfp_model.training.validation import HeldOut, Validation, held_out_samples, validate

_log = logging.getLogger(__name__)

Report = Callable[[Mapping[str, float]], None]


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
    _learn(job, run, source, held_out, report=report, should_stop=should_stop)


def _learn(
    job: TrainingJob,
    run: Run,
    source: SampleSource,
    held_out: HeldOut | None,
    *,
    report: Report,
    should_stop: Callable[[], bool],
) -> None:
    """Take steps until all samples are seen, somebody stops it, or patience is at its end."""
    epoch = job.epoch_samples or sum(len(images) for images in source.folders)
    log = MeanLog(job.files.log)
    unsaved_s, n_before = 0.0, run.state.n_seen
    for step in run.steps(source, n_workers=job.n_workers):
        report(step)
        log.add(step)
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
        if stops:
            break
        n_before = run.state.n_seen


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


def _log_validation(files: TrainingFiles, epoch: int, n_seen: int, validation: Validation) -> None:
    at = {f"miou@{k}": value for k, value in enumerate(validation.miou_at, start=1)}
    append_row(
        files.validation_log, {"epoch": epoch, "n_seen": n_seen, "score": validation.score, **at}
    )
    write_atomically(files.sheet(epoch), png(validation.sheet))
