"""How to learn from few images without forgetting."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from mfp_model.checkpoints.checkpoint import Checkpoint
from mfp_model.engines.device import best_device
from mfp_model.fine_tuning.corrections import Corrections
from mfp_model.fine_tuning.job import FineTuneJob
from mfp_model.networks.network import NetworkConfig
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.job import TrainingJob

N_SAMPLES = 6000
EPOCH_SAMPLES = 750  # between two validations at most
MIN_EPOCHS = 2  # of a short run, whose validations take longer than its training
N_VALIDATION = 48
WARM_UP_SAMPLES = 600  # Adam's first steps are as large as its rate, and undo what was known
PATIENCE = 4
BLENDS = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2)  # shares of the tuned weights, the rest is the base's
REPLAY_WEIGHT = 0.3  # of the base's own answers beside the corrections' 1

_SIDE_PX = 192  # twice the samples a second of 256


def training_of(
    job: FineTuneJob, base: Checkpoint, corrections: Corrections, replay: Path | None
) -> TrainingJob:
    """Return the training of a fine-tuning.

    Args:
        job: The fine-tuning.
        base: What is tuned.
        corrections: What people made of its answers.
        replay: Its own answers as a COCO folder; None for none.
    """
    own = ((replay, REPLAY_WEIGHT),) if replay else ()
    folders = ((corrections.train, 1.0), *own, *job.replay)
    config = _recipe(base.config, folders, n_samples=job.n_samples)
    return TrainingJob(
        config=config,
        network_config=base.config,
        out=job.work / "tuned.safetensors",
        version=job.version,
        start=base,
        validation=((corrections.held_out, 1.0),),
        leaves_out_shared=True,
        n_validation=N_VALIDATION,
        epoch_samples=min(EPOCH_SAMPLES, ceil(config.n_samples / MIN_EPOCHS)),
        validates_start=True,
        patience=PATIENCE,
        save_every_s=30.0,
        n_workers=job.n_workers,
        device=str(best_device(job.device)),
        chooses_threads=job.chooses_threads,
    )


def _recipe(
    network: NetworkConfig, folders: tuple[tuple[Path, float], ...], *, n_samples: int | None
) -> TrainingConfig:
    """The run for a few corrected images."""
    side = min(_SIDE_PX, network.input_size)
    total = n_samples or N_SAMPLES
    return TrainingConfig(
        folders=folders,
        phases=(Phase(height=side, width=side, batch=16, freezes_norms=True),),
        n_samples=total,
        warm_up_samples=max(1, min(WARM_UP_SAMPLES, total // 2)),
        round_decay=0.3,  # few rounds an image: the first clicks matter most
        learning_rate=1e-3,
        encoder_rate=0.1,
        average_decay=0.99,
        merge_probability=0.0,
        prior_probability=0.05,
        min_object_px=20,
    )
