"""The options of `mfp train` -> a training."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mfp_model.errors import ConfigError
from mfp_model.names import UNET

if TYPE_CHECKING:
    from mfp_model.checkpoints.checkpoint import Checkpoint
    from mfp_model.training.job import TrainingJob


def job_of(options: argparse.Namespace) -> TrainingJob:
    """Return what the options of `mfp train` ask for.

    Raises:
        ConfigError: Options do not go together.
        CheckpointError: The weights to begin with cannot be read.
    """
    from mfp_model.networks.network import NetworkConfig, default_input_size
    from mfp_model.training.config import TrainingConfig
    from mfp_model.training.job import N_VALIDATION, TrainingJob
    from mfp_model.training.presets import RUNS

    preset = RUNS[options.preset]
    config = TrainingConfig(**_fields(options, preset.fields))
    if options.prior_probability and (preset.backbone == UNET or config.scheme == "drawn"):
        raise ConfigError("--prior-probability: expected adaptive clicks, and no U-Net as preset")
    start = _start(options, preset.backbone)
    size = default_input_size(preset.backbone)
    network_config = (
        start.config if start else NetworkConfig(backbone=preset.backbone, input_size=size)
    )
    n_ranks = options.replicas or int(options.environment.get("WORLD_SIZE", "1"))
    return TrainingJob(
        config=config,
        network_config=network_config,
        out=options.out,
        version=options.version or options.preset,
        start=start,
        validation=tuple(options.val),
        epoch_samples=options.epoch_samples,
        n_validation=options.val_samples or N_VALIDATION,
        n_workers=_n_workers(n_ranks) if options.workers is None else options.workers,
        device=options.device,
        chooses_threads=options.threads == 0,
    )


def _fields(options: argparse.Namespace, preset: Mapping[str, Any]) -> dict[str, Any]:
    """The preset's fields of the run, with what the options change."""
    fields = {**preset, "folders": tuple(options.train), "seed": options.seed or 0}
    for name, value in (
        ("n_samples", options.samples),
        ("learning_rate", options.learning_rate),
        ("prior_probability", options.prior_probability),
        ("min_object_px", options.min_object_px),
        ("loss", options.loss),
        ("boundary_weight", options.boundary_weight),
        ("adversarial_weight", options.adversarial_weight),
    ):
        if value is not None:
            fields[name] = value
    if options.clicks == "adaptive":
        fields["scheme"] = "streamed"
    elif options.clicks:
        fields |= {"scheme": "drawn", "strategy": options.clicks}
    if options.batch is not None:
        fields["phases"] = tuple(replace(x, batch=options.batch) for x in fields["phases"])
    return fields


def _n_workers(n_ranks: int) -> int:
    return max(1, min(8, (os.cpu_count() or 1) // n_ranks))


def _start(options: argparse.Namespace, backbone: str) -> Checkpoint | None:
    from backend.models.downloads import fetch_weights
    from mfp_model.checkpoints.checkpoint import load_checkpoint
    from mfp_model.checkpoints.published import load_backbone

    if isinstance(options.init, str):
        weights = fetch_weights(options.init, options.settings.cache_dir)
        return load_backbone(backbone, weights)
    if options.init:
        return load_backbone(backbone, options.init)
    if not options.start:
        return None
    checkpoint = load_checkpoint(options.start)
    if checkpoint.config.backbone != backbone:
        raise ConfigError(
            f"--start {options.start}: has backbone {checkpoint.config.backbone}, "
            f"expected {backbone} as in --preset"
        )
    return checkpoint
