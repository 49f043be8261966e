"""What the commands that measure a segmenter share: its options, and who measures."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from backend.commands.cluster import add_ray, check_ray, sendable, workers_of
from backend.commands.labelled import add_labelled_data, check_labelled_data, labelled_objects
from backend.commands.options import (
    add_checkpoint,
    add_device,
    check_segmenter_options,
    segmenter_of,
)
from backend.commands.parsing import add_count, add_json, of
from backend.environment.readers import count
from mfp_model.errors import ConfigError

if TYPE_CHECKING:
    from backend.cluster.batch import BatchWork
    from mfp_model.evaluation.objects import EvaluationObject
    from mfp_model.networks.modulation import ModulationConfig
    from mfp_model.segmenter import Segmenter

Item = TypeVar("Item")
Result = TypeVar("Result")

_CONSTANTS: dict[str, Callable[[str], Any]] = {
    "n_early_clicks": int,
    "max_radius": float,
    "distance": str,
    "curve": str,
}


def add_network_changes(parser: argparse.ArgumentParser) -> None:
    """Add what changes how a checkpoint's network is run."""
    parser.add_argument("--input-size", type=of(count(low=32)), metavar="PX", help="of the network")
    parser.add_argument("--flip", action="store_true", help="average with the mirrored image")
    parser.add_argument(
        "--modulation",
        action="append",
        default=[],
        type=_constant,
        metavar="NAME=VALUE",
        help="another constant: n_early_clicks, max_radius, distance or curve; repeatable",
    )


def _constant(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, _CONSTANTS[name](value)
    except (KeyError, ValueError):
        names = ", ".join(_CONSTANTS)
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=VALUE of {names}") from None


def add_mfp_on_objects(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that measures MFP on a part of a labelled folder."""
    add_labelled_data(parser)
    add_checkpoint(parser)
    add_count(parser, "--every", "each N-th object only", default=1)
    add_device(parser)
    add_measuring_ray(parser)
    add_json(parser)
    parser.set_defaults(segmenter="mfp", constants=None, engine="auto")
    parser.set_defaults(input_size=None, flip=False, modulation=[])


def add_measuring_ray(parser: argparse.ArgumentParser) -> None:
    """Add what spreads a measurement over a cluster."""
    add_ray(parser, "spread the objects over a cluster; the scores are the same")


def check_mfp_on_objects(options: argparse.Namespace) -> None:
    """Refuse what `add_mfp_on_objects` cannot work with, before torch is loaded.

    Raises:
        ConfigError: An option of the cluster without one.
        DataError: There is no labelled folder.
    """
    check_ray(options)
    check_labelled_data(options)


def each_of_mfp(
    options: argparse.Namespace,
    measure: Callable[[Segmenter, EvaluationObject], Result | None],
) -> Iterator[Result]:
    """Yield what comes of measuring MFP on each object that `add_mfp_on_objects` asked for.

    Args:
        options: Those options.
        measure: Measures one object; None leaves it out. It can be pickled.

    Raises:
        DataError: The folder is not what its format says.
        MfpError: As of measuring.
    """
    from tqdm import tqdm

    leave_out = partial(left_out, options.problems.tell)
    load = partial(load_measured, sendable(options), measure)
    with workers_of(options, load, leave_out) as workers:
        targets = islice(labelled_objects(options), 0, None, options.every)
        for _, result in tqdm(workers.each(targets), unit="object"):
            if result is not None:
                yield result


def load_measured(
    options: argparse.Namespace, measure: Callable[[Segmenter, Item], Result]
) -> BatchWork[Item, Result | None]:
    """Return the work of measuring the options' segmenter, item by item; loads torch."""
    from backend.cluster.batch import BatchWork

    if _is_changed(options):
        segmenter = changed_segmenter(options, _modulation(options))
    else:
        segmenter = segmenter_of(options)
    answer = partial(measure, segmenter)
    return BatchWork(answer=answer, version=segmenter.version, segmenter=segmenter)


def left_out(tell: Callable[[str], object], target: EvaluationObject, why: str) -> None:
    """Tell of an object that no worker can measure; nothing comes of it."""
    tell(f"{target.name}: {why}")


def check_measured(options: argparse.Namespace) -> None:
    """Refuse what does not fit together, before weights are loaded.

    Raises:
        ConfigError: Changes of a network to what is none, other options without a use, or
            constants of the modulation outside their range.
    """
    check_segmenter_options(options)
    if _is_changed(options) and options.segmenter != "mfp":
        raise ConfigError(f"--segmenter {options.segmenter}: cannot be changed as mfp can")
    _modulation(options)


def _is_changed(options: argparse.Namespace) -> bool:
    return bool(options.modulation or options.input_size is not None or options.flip)


def _modulation(options: argparse.Namespace) -> ModulationConfig | None:
    """The modulation with the options' constants, None for the checkpoint's own."""
    if not options.modulation:
        return None
    from mfp_model.networks.modulation import ModulationConfig

    return ModulationConfig(**dict(options.modulation))


def changed_segmenter(
    options: argparse.Namespace, modulation: ModulationConfig | None
) -> Segmenter:
    """Return MFP with another modulation, and what else the options change."""
    from mfp_model.checkpoints.checkpoint import load_checkpoint
    from mfp_model.segmenters.mfp import MfpSegmenter
    from mfp_model.weights import DEFAULT_WEIGHTS

    checkpoint = load_checkpoint(options.checkpoint or DEFAULT_WEIGHTS)
    config = dataclasses.replace(
        checkpoint.config,
        modulation=modulation or checkpoint.config.modulation,
        input_size=options.input_size or checkpoint.config.input_size,
    )
    checkpoint = dataclasses.replace(checkpoint, config=config)
    return MfpSegmenter(
        checkpoint, device=options.device, engine=options.engine, averages_flip=options.flip
    )
