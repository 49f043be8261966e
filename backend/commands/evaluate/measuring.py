"""What the commands that measure clicks share: the segmenter, the objects, the scores."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from backend.commands.labelled import add_labelled_data, check_labelled_data, labelled_objects
from backend.commands.options import (
    add_checkpoint,
    add_device,
    check_segmenter_options,
    segmenter_of,
)
from backend.commands.parsing import add_json, of
from backend.environment.readers import count
from backend.finding.each import Each, here
from mfp_model.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mfp_model.evaluation.aims import Aim
    from mfp_model.evaluation.objects import EvaluationObject
    from mfp_model.evaluation.protocol import ClickedObject, ObjectResult, Show
    from mfp_model.evaluation.scores import Scores
    from mfp_model.networks.modulation import ModulationConfig
    from mfp_model.prompts import Click
    from mfp_model.segmenter import Segmenter

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
        known = ", ".join(_CONSTANTS)
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=VALUE of {known}") from None


def add_mfp_on_objects(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that measures MFP on a part of a labelled folder."""
    add_labelled_data(parser)
    add_checkpoint(parser)
    parser.add_argument(
        "--every", type=of(count(low=1)), default=1, metavar="N", help="each N-th object only"
    )
    add_device(parser)
    add_json(parser)


def mfp_on_objects(options: argparse.Namespace) -> tuple[Segmenter, Iterator[EvaluationObject]]:
    """Return what `add_mfp_on_objects` asked for: the segmenter, and the objects; loads torch.

    Raises:
        ConfigError: The folder is not what its format says.
    """
    check_labelled_data(options)
    from tqdm import tqdm

    from mfp_model.loading import load_segmenter

    segmenter = load_segmenter("mfp", checkpoint=options.checkpoint, device=options.device)
    targets = islice(labelled_objects(options), 0, None, options.every)
    return segmenter, iter(tqdm(targets, unit="object"))


def check_measured(options: argparse.Namespace) -> None:
    """Refuse what does not fit together, before weights are loaded.

    Raises:
        ConfigError: Changes of a network to what is none, other options without a use, or
            constants of the modulation outside their range.
    """
    check_segmenter_options(options)
    is_changed = options.modulation or options.input_size is not None or options.flip
    if is_changed and options.segmenter != "mfp":
        raise ConfigError(f"--segmenter {options.segmenter}: cannot be changed as mfp can")
    _modulation(options)


def measured_segmenter(options: argparse.Namespace) -> Segmenter:
    """Return the segmenter, with what the options change of its checkpoint; loads torch."""
    modulation = _modulation(options)
    if modulation is None and options.input_size is None and not options.flip:
        return segmenter_of(options)
    return changed_segmenter(options, modulation)


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


def scores_of(
    options: argparse.Namespace,
    segmenter: Segmenter,
    aim: Aim,
    *,
    label: str = "",
) -> Scores:
    """Return a segmenter's scores on the labelled folder."""
    return scores_by(options, here(partial(clicked, segmenter, aim)), label=label)


def scores_by(
    options: argparse.Namespace,
    each: Each[EvaluationObject, ClickedObject | None],
    *,
    show: Show | None = None,
    label: str = "",
) -> Scores:
    """Return the scores on the labelled folder of whoever clicks; None is left out."""
    from tqdm import tqdm

    from mfp_model.evaluation.scores import score

    def results() -> Iterator[ObjectResult]:
        for target, outcome in tqdm(
            each(labelled_objects(options)), unit="object", desc=label or None
        ):
            if outcome is not None:
                if show is not None:
                    show(target, outcome.clicks, outcome.mask)
                yield outcome.result

    return score(results())


def clicked(segmenter: Segmenter, aim: Aim, target: EvaluationObject) -> ClickedObject:
    """Return what an object's clicks led to, see `click_object`."""
    from mfp_model.evaluation.protocol import ClickedObject, click_object

    shown: list[tuple[Sequence[Click], NDArray[np.bool_]]] = []

    def note(_: EvaluationObject, clicks: Sequence[Click], mask: NDArray[np.bool_]) -> None:
        shown.append((clicks, mask))

    result = click_object(segmenter, target, aim=aim, show=note)
    ((clicks, mask),) = shown
    return ClickedObject(result=result, clicks=tuple(clicks), mask=mask)
