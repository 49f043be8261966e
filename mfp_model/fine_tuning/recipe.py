"""How to learn from few images without forgetting."""

from __future__ import annotations

from pathlib import Path

from mfp_model.networks.network import NetworkConfig
from mfp_model.training.config import Phase, TrainingConfig

N_SAMPLES = 6000
EPOCH_SAMPLES = 750  # between two validations at most
MIN_EPOCHS = 2  # of a short run, whose validations take longer than its training
N_VALIDATION = 48
WARM_UP_SAMPLES = 600  # Adam's first steps are as large as its rate, and undo what was known
PATIENCE = 4
BLENDS = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2)  # shares of the tuned weights, the rest is the base's
REPLAY_WEIGHT = 0.3  # of the base's own answers beside the corrections' 1

_SIDE_PX = 192  # twice the samples a second of 256


def recipe(
    network: NetworkConfig,
    folders: tuple[tuple[Path, float], ...],
    *,
    n_samples: int | None = None,
) -> TrainingConfig:
    """Return the run for a few corrected images.

    Args:
        network: The base's network.
        folders: COCO folders with their weights: corrections and replay.
        n_samples: Samples; None for the recipe's.
    """
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
