"""`mfp train`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.options import parse_folders
from mfp_model.names import LOSSES, PRESETS, STRATEGIES

if TYPE_CHECKING:
    from mfp_model.checkpoints.checkpoint import Checkpoint

_RUNNING_SHARE = 0.02  # of the newest step in the running means that the progress bar shows


def add_train(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add the command."""
    parser = commands.add_parser("train", help="train a network, going on from FILE.state")
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
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--preset", choices=PRESETS, default="lite2")
    parser.add_argument("--version", help="model version in the checkpoint; default: the preset")
    parser.add_argument("--samples", type=int, help="samples in all; default: the preset's")
    parser.add_argument("--batch", type=int, help="samples a step, over all GPUs")
    parser.add_argument("--epoch-samples", type=int, help="samples between two validations")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument(
        "--prior-probability", type=float, help="how often a sample starts from a damaged mask"
    )
    parser.add_argument(
        "--min-object-px", type=int, help="smaller objects are left out; default: 80"
    )
    parser.add_argument(
        "--clicks",
        choices=("adaptive", *STRATEGIES),
        help="where clicks lie; adaptive: where the mask is wrong",
    )
    parser.add_argument("--loss", choices=LOSSES)
    parser.add_argument(
        "--boundary-weight", type=float, help="how much more pixels on an object's edge count"
    )
    parser.add_argument("--adversarial-weight", type=float, help="of a discriminator's verdict")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, metavar="FILE", help="a checkpoint to begin with")
    parser.add_argument(
        "--init", metavar="FILE|NAME", help="ImageNet or MAE weights for the backbone"
    )
    parser.add_argument(
        "--workers", type=int, help="processes that prepare samples; default: a core each, up to 8"
    )
    parser.add_argument(
        "--threads",
        type=_threads,
        metavar="N|auto",
        help="threads that compute on a CPU; auto: as many as is fastest at the time",
    )
    parser.add_argument("--device", help="default: cuda where there is one, else cpu")
    parser.set_defaults(run=_train)


def _threads(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of at least 1, or auto")
    return int(text)


def _train(options: argparse.Namespace) -> None:
    import torch
    from tqdm import tqdm

    from backend.learning.stop_signal import StopSignal
    from mfp_model.networks.network import NetworkConfig, default_input_size
    from mfp_model.training import ranks
    from mfp_model.training.config import TrainingConfig
    from mfp_model.training.presets import RUNS
    from mfp_model.training.train import TrainingJob, train

    preset = RUNS[options.preset]
    config = TrainingConfig(**_fields(options, preset.fields))
    start = _start(options, preset.backbone)
    size = default_input_size(preset.backbone)
    network_config = (
        start.config if start else NetworkConfig(backbone=preset.backbone, input_size=size)
    )
    n_ranks = int(options.environment.get("WORLD_SIZE", "1"))
    if n_ranks > 1:  # torchrun
        ranks.join(int(options.environment["LOCAL_RANK"]))
    job = TrainingJob(
        config=config,
        network_config=network_config,
        out=options.out,
        version=options.version or options.preset,
        start=start,
        validation=parse_folders(options.val),
        epoch_samples=options.epoch_samples,
        n_workers=_n_workers(n_ranks) if options.workers is None else options.workers,
        device=options.device,
        chooses_threads=options.threads == "auto",
    )
    if isinstance(options.threads, int):
        torch.set_num_threads(options.threads)
    stop = StopSignal()
    with tqdm(total=config.n_samples, unit="sample", disable=ranks.rank() != 0) as bar:
        train(job, report=_Progress(bar).show, should_stop=lambda: stop.is_asked)
    ranks.leave()


def _fields(options: argparse.Namespace, preset: Mapping[str, Any]) -> dict[str, Any]:
    """The preset's fields of the run, with what the options change."""
    fields = {**preset, "folders": parse_folders(options.train), "seed": options.seed}
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
    from backend.settings import Settings
    from mfp_model.checkpoints.checkpoint import load_checkpoint
    from mfp_model.checkpoints.published import load_backbone
    from mfp_model.errors import ConfigError
    from mfp_model.weights.sources import WEIGHTS_SOURCES

    if options.start and options.init:
        raise ConfigError("--start and --init: expected one of them")
    if options.init in WEIGHTS_SOURCES:
        folder = Settings.from_env(options.environment).cache_dir
        return load_backbone(backbone, fetch_weights(options.init, folder))
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
        self._bar.set_postfix(
            {"loss": f"{self._means['loss']:.3f}", "iou": f"{self._means['iou']:.3f}"}
            | {"images/s": f"{self._means['images_per_s']:.1f}"}
        )
        self._bar.update(int(step["n_seen"]) - self._bar.n)
