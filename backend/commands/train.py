"""`mfp train`: trains a network."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.cluster.places import Plan
from backend.commands.cluster import add_ray, check_ray
from backend.commands.options import add_device, weighted_folder
from backend.commands.parsing import Commands, add_choice, auto_or_count, of
from backend.commands.printing import GOES_ON, note
from backend.commands.training_job import job_of
from backend.environment.readers import count, file, new_file, number
from mfp_model.errors import ConfigError
from mfp_model.names import LOSSES, PRESETS, STRATEGIES
from mfp_model.weights.downloads import WEIGHTS_SOURCES

if TYPE_CHECKING:
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
    _add_files(parser)
    add_choice(parser, "--preset", PRESETS, default="lite2")
    parser.add_argument(
        "--version", metavar="NAME", help="model version in the checkpoint; default: the preset"
    )
    words = "where clicks lie: {}; adaptive: where the mask is wrong; default: the preset's"
    add_choice(parser, "--clicks", ("adaptive", *STRATEGIES), words)
    add_choice(parser, "--loss", LOSSES, "{}; default: the preset's")
    beginning = parser.add_mutually_exclusive_group()
    beginning.add_argument(
        "--start", type=of(file()), metavar="FILE", help="a checkpoint to begin with"
    )
    beginning.add_argument(
        "--init", type=_init, metavar="FILE|NAME", help="ImageNet or MAE weights for the backbone"
    )
    for name, reader, words in _NUMBERS:
        parser.add_argument(f"--{name}", type=of(reader), metavar="N", help=words)
    parser.add_argument(
        "--threads",
        type=of(auto_or_count()),
        metavar="N|auto",
        help="threads that compute on a CPU; auto: as many as is fastest at the time",
    )
    add_device(parser, None, "; default: cuda where there is one, else cpu")
    add_ray(parser, "train on a cluster, a process for each replica")


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--train",
        action="append",
        type=weighted_folder,
        required=True,
        metavar="DATA[:WEIGHT]",
        help="COCO folder, COCO or LVIS annotation file, or SBD's dataset folder; repeatable",
    )
    parser.add_argument(
        "--val",
        action="append",
        type=weighted_folder,
        default=[],
        metavar="DATA[:WEIGHT]",
        help="held-out data",
    )
    parser.add_argument(
        "--out", type=of(new_file()), required=True, metavar="FILE", help="the checkpoint"
    )


def _init(text: str) -> str | Path:
    """The name of weights that others publish, or a file."""
    if text in WEIGHTS_SOURCES:
        return text
    try:
        return of(file())(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"{error}, and mfp weights fetch has no such name"
        ) from None


def _train(options: argparse.Namespace) -> None:
    check_ray(options)
    if options.ray and options.threads is not None:
        raise ConfigError("--threads: a cluster's processes take MFP_TORCH_THREADS")
    from tqdm import tqdm

    from backend.learning.stop_signal import StopSignal

    job = job_of(options)
    stop = StopSignal()
    is_first = options.ray or options.environment.get("RANK", "0") == "0"
    with tqdm(total=job.config.n_samples, unit="sample", disable=not is_first) as bar:
        run = _on_cluster if options.ray else _here
        run(options, job, report=_Progress(bar).show, should_stop=lambda: stop.is_asked)
    if stop.is_asked and 0 < bar.n < job.config.n_samples:
        note(GOES_ON)


def _here(options: argparse.Namespace, job: TrainingJob, **calls: Callable[..., Any]) -> None:
    """Train in this process, which may be a rank that `torchrun` started."""
    import torch

    from mfp_model.training import ranks
    from mfp_model.training.train import train

    if int(options.environment.get("WORLD_SIZE", "1")) > 1:
        ranks.join(int(options.environment["LOCAL_RANK"]))
    if options.threads:
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
