"""`mfp train`: trains a network."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.cluster.places import Plan
from backend.commands.cluster import add_ray, check_ray
from backend.commands.options import add_device, parse_folders
from backend.commands.parsing import Commands, of
from backend.environment.readers import count, file, new_file, number
from mfp_model.errors import ConfigError
from mfp_model.names import LOSSES, PRESETS, STRATEGIES, UNET, listed

if TYPE_CHECKING:
    from mfp_model.checkpoints.checkpoint import Checkpoint
    from mfp_model.training.job import TrainingJob

_NUMBERS = (
    ("samples", count(low=1), "samples in all; default: the preset's"),
    ("batch", count(low=1), "samples a step, over all GPUs; default: the preset's"),
    ("epoch-samples", count(low=1), "samples between two validations"),
    ("val-samples", count(low=1), "held-out samples of a validation; default: 128"),
    ("learning-rate", number(low=0), "default: the preset's"),
    ("prior-probability", number(low=0, high=1), "how often a sample starts from a damaged mask"),
    ("min-object-px", count(low=1), "smaller objects are left out; default: 80"),
    ("boundary-weight", number(low=0), "how much more pixels on an object's edge count"),
    ("adversarial-weight", number(low=0), "of a discriminator's verdict"),
    ("seed", count(low=0), "of all randomness; default: 0"),
    ("workers", count(low=0), "processes that prepare samples; default: a core each, up to 8"),
)
_RUNNING_SHARE = 0.02  # of the newest step in the running means that the progress bar shows


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("train", "train a network, going on from FILE.state", _train)
    parser.add_argument(
        "--train",
        action="append",
        required=True,
        metavar="DATA[:WEIGHT]",
        help="COCO folder, COCO or LVIS annotation file, or SBD's dataset folder; repeatable",
    )
    parser.add_argument(
        "--val", action="append", default=[], metavar="DATA[:WEIGHT]", help="held-out data"
    )
    parser.add_argument(
        "--out", type=of(new_file()), required=True, metavar="FILE", help="the checkpoint"
    )
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default="lite2",
        metavar="NAME",
        help=f"{listed(PRESETS)}; default: lite2",
    )
    parser.add_argument(
        "--version", metavar="NAME", help="model version in the checkpoint; default: the preset"
    )
    parser.add_argument(
        "--clicks",
        choices=("adaptive", *STRATEGIES),
        metavar="NAME",
        help=f"where clicks lie: {listed(('adaptive', *STRATEGIES))}; adaptive: where the mask "
        "is wrong; default: the preset's",
    )
    parser.add_argument("--loss", choices=LOSSES, help="default: the preset's")
    parser.add_argument(
        "--start", type=of(file()), metavar="FILE", help="a checkpoint to begin with"
    )
    parser.add_argument(
        "--init", metavar="FILE|NAME", help="ImageNet or MAE weights for the backbone"
    )
    for name, reader, words in _NUMBERS:
        parser.add_argument(f"--{name}", type=of(reader), metavar="N", help=words)
    parser.add_argument(
        "--threads",
        type=_threads,
        metavar="N|auto",
        help="threads that compute on a CPU; auto: as many as is fastest at the time",
    )
    add_device(parser, None, "cuda where there is one, else cpu")
    add_ray(parser, "train on a cluster, a process for each replica")


def _threads(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of at least 1, or auto")
    return int(text)


def _train(options: argparse.Namespace) -> None:
    check_ray(options)
    if options.ray and options.threads is not None:
        raise ConfigError("--threads: a cluster's processes take MFP_TORCH_THREADS")
    folders, validation = parse_folders(options.train), parse_folders(options.val)
    from tqdm import tqdm

    from backend.learning.stop_signal import StopSignal

    job = _job(options, folders, validation)
    stop = StopSignal()
    is_first = options.ray or options.environment.get("RANK", "0") == "0"
    with tqdm(total=job.config.n_samples, unit="sample", disable=not is_first) as bar:
        run = _on_cluster if options.ray else _here
        run(options, job, report=_Progress(bar).show, should_stop=lambda: stop.is_asked)


def _job(
    options: argparse.Namespace,
    folders: tuple[tuple[Path, float], ...],
    validation: tuple[tuple[Path, float], ...],
) -> TrainingJob:
    from mfp_model.networks.network import NetworkConfig, default_input_size
    from mfp_model.training.config import TrainingConfig
    from mfp_model.training.job import N_VALIDATION, TrainingJob
    from mfp_model.training.presets import RUNS

    preset = RUNS[options.preset]
    config = TrainingConfig(**_fields(options, preset.fields, folders))
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
        validation=validation,
        epoch_samples=options.epoch_samples,
        n_validation=options.val_samples or N_VALIDATION,
        n_workers=_n_workers(n_ranks) if options.workers is None else options.workers,
        device=options.device,
        chooses_threads=options.threads == "auto",
    )


def _here(options: argparse.Namespace, job: TrainingJob, **calls: Callable[..., Any]) -> None:
    """Train in this process, which may be a rank that `torchrun` started."""
    import torch

    from mfp_model.training import ranks
    from mfp_model.training.train import train

    if int(options.environment.get("WORLD_SIZE", "1")) > 1:
        ranks.join(int(options.environment["LOCAL_RANK"]))
    if isinstance(options.threads, int):
        torch.set_num_threads(options.threads)
    train(job, **calls, on_problem=options.problems.tell)
    ranks.leave()


def _on_cluster(options: argparse.Namespace, job: TrainingJob, **calls: Callable[..., Any]) -> None:
    from backend.cluster.training import train_on_cluster

    settings = replace(options.settings, device=options.device or "auto")
    address = options.address or ""
    train_on_cluster(
        job,
        Plan.of(settings, address, options.replicas or 0),
        address=address,
        environment=options.environment,
        **calls,
        on_problem=options.problems.tell,
    )


def _fields(
    options: argparse.Namespace,
    preset: Mapping[str, Any],
    folders: tuple[tuple[Path, float], ...],
) -> dict[str, Any]:
    """The preset's fields of the run, with what the options change."""
    fields = {**preset, "folders": folders, "seed": options.seed or 0}
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
    from mfp_model.weights.sources import WEIGHTS_SOURCES

    if options.start and options.init:
        raise ConfigError("--start and --init: expected one of them")
    if options.init in WEIGHTS_SOURCES:
        weights = fetch_weights(options.init, options.settings.cache_dir)
        return load_backbone(backbone, weights)
    if options.init:
        return load_backbone(backbone, Path(options.init))
    if not options.start:
        return None
    checkpoint = load_checkpoint(options.start)
    if checkpoint.config.backbone != backbone:
        raise ConfigError(
            f"--start {options.start}: has backbone {checkpoint.config.backbone}, "
            f"expected {backbone} as in --preset"
        )
    return checkpoint


class _Progress:
    """Running means in a progress bar."""

    def __init__(self, bar: Any) -> None:  # noqa: ANN401, tqdm is imported when a run starts
        self._bar = bar
        self._means: dict[str, float] = {}

    def show(self, step: Mapping[str, float]) -> None:
        for name in ("loss", "iou", "images_per_s"):
            mean = self._means.get(name, step[name])
            self._means[name] = mean + _RUNNING_SHARE * (step[name] - mean)
        shown = {name: f"{self._means[name]:.3f}" for name in ("loss", "iou")}
        self._bar.set_postfix({**shown, "images/s": f"{self._means['images_per_s']:.1f}"})
        self._bar.update(int(step["n_seen"]) - self._bar.n)
