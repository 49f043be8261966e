"""`mfp evaluate` and `mfp ablate`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.evaluate_sessions import replay
from backend.commands.options import add_labelled_data, add_segmenter_options
from mfp_model.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mfp_model.evaluation.aims import Aim
    from mfp_model.evaluation.datasets import EvaluationObject
    from mfp_model.evaluation.protocol import Show
    from mfp_model.evaluation.scores import Scores
    from mfp_model.networks.modulation import ModulationConfig
    from mfp_model.prompts import Click
    from mfp_model.segmenter import Segmenter


def add_evaluate(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add `mfp evaluate`."""
    parser = commands.add_parser("evaluate", help="clicks needed on a labelled folder")
    add_labelled_data(parser, is_required=False)
    parser.add_argument(
        "--sessions",
        action="store_true",
        help="replay recorded clicks, of the settings' data folder and Label Studio, instead",
    )
    parser.add_argument("--project", default="", metavar="ID", help="with --sessions")
    add_segmenter_options(parser)
    parser.add_argument("--input-size", type=int, metavar="PX", help="of the network")
    parser.add_argument("--flip", action="store_true", help="average with the mirrored image")
    parser.add_argument(
        "--jitter", type=float, default=0.0, metavar="PX", help="how far clicks may miss their aim"
    )
    parser.add_argument(
        "--clicks",
        choices=("deepest", "human"),
        default="deepest",
        help="where clicks lie: in the middle of the error, or scattered as three groups of "
        "people's; default: deepest",
    )
    parser.add_argument("--seed", type=int, default=0, help="of jitter and scatter")
    parser.add_argument(
        "--modulation",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another constant: n_early_clicks, max_radius, distance or curve; repeatable",
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="mean IoU against clicks")
    parser.add_argument("--confusion", type=Path, metavar="FILE.png", help="matrix as a picture")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="for each object image with clicks, truth and mask side by side",
    )
    parser.add_argument(
        "--plot-with",
        action="append",
        default=[],
        type=Path,
        metavar="FILE.json",
        help="earlier report to draw in the same plot; repeatable",
    )
    parser.set_defaults(run=_evaluate)


def add_ablate(commands: Any) -> None:  # noqa: ANN401, argparse's type is private
    """Add `mfp ablate`."""
    parser = commands.add_parser("ablate", help="the same with each variant of the modulation")
    add_labelled_data(parser)
    parser.add_argument("--checkpoint", type=Path, metavar="FILE")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.set_defaults(run=_ablate, segmenter="mfp", flip=False)
    parser.set_defaults(input_size=None, pictures=None, constants=None, engine="auto")


def _evaluate(options: argparse.Namespace) -> int:
    if options.sessions == (options.format is not None and options.root is not None):
        raise ConfigError("expected --format and --root, or --sessions")
    segmenter = _segmenter(options, _modulation(options.modulation))
    if options.sessions:
        return replay(options, segmenter)
    if options.clicks == "human":
        return _evaluate_people(options, segmenter)
    report = {
        **dataclasses.asdict(_scores(options, segmenter, _aim(options))),
        "segmenter": options.segmenter,
        "checkpoint": segmenter.version,
    }
    if options.plot:
        _plot(options, report)
    if options.confusion:
        _draw_confusion(options.confusion, report)
    _write(report, options.json)
    print(json.dumps(report))
    return 0


def _evaluate_people(options: argparse.Namespace, segmenter: Segmenter) -> int:
    """One evaluation for each group of people, and the mean and spread over the groups."""
    import numpy as np

    from mfp_model.evaluation.aims import PEOPLE, Person
    from mfp_model.evaluation.protocol import THRESHOLDS

    groups = {}
    for name, spread in PEOPLE.items():
        person = Person(spread=spread, generator=np.random.default_rng(options.seed))
        groups[name] = _scores(options, segmenter, person, label=name)
    noc = {f"{t:.2f}": [scores.noc[f"{t:.2f}"] for scores in groups.values()] for t in THRESHOLDS}
    report = {
        "clicks": "human",
        "noc_mean": {threshold: float(np.mean(values)) for threshold, values in noc.items()},
        "noc_spread": {threshold: float(np.std(values)) for threshold, values in noc.items()},
        "groups": {name: dataclasses.asdict(scores) for name, scores in groups.items()},
        "segmenter": options.segmenter,
        "checkpoint": segmenter.version,
    }
    _write(report, options.json)
    print(json.dumps(report))
    return 0


def _aim(options: argparse.Namespace) -> Aim:
    import numpy as np

    from mfp_model.evaluation.aims import Jitter, exact

    if options.jitter <= 0:
        return exact
    return Jitter(radius_px=options.jitter, generator=np.random.default_rng(options.seed))


def _ablate(options: argparse.Namespace) -> None:
    from mfp_model.evaluation.ablation import VARIANTS, as_table
    from mfp_model.evaluation.aims import exact

    rows = {}
    for name, modulation in VARIANTS.items():
        rows[name] = _scores(options, _segmenter(options, modulation), exact, label=name)
    print(as_table(rows))
    _write({name: dataclasses.asdict(scores) for name, scores in rows.items()}, options.json)


def _modulation(texts: list[str]) -> ModulationConfig | None:
    """The modulation with the constants of `NAME=VALUE`, None for the checkpoint's own."""
    from mfp_model.networks.modulation import ModulationConfig

    if not texts:
        return None
    kinds = {"n_early_clicks": int, "max_radius": float, "distance": str, "curve": str}
    values: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            values[name] = kinds[name](value)
        except (KeyError, ValueError):
            known = ", ".join(kinds)
            raise ConfigError(f"--modulation {text!r}: expected NAME=VALUE of {known}") from None
    return ModulationConfig(**values)


def _segmenter(options: argparse.Namespace, modulation: ModulationConfig | None) -> Segmenter:
    """The segmenter, with what the options change of its checkpoint."""
    from mfp_model.loading import load_segmenter

    if modulation is None and options.input_size is None and not options.flip:
        return load_segmenter(
            options.segmenter,
            checkpoint=options.checkpoint,
            constants=options.constants,
            device=options.device,
            engine=options.engine,
        )
    if options.segmenter != "mfp":
        raise ConfigError(f"--segmenter {options.segmenter}: cannot be changed as mfp can")
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


def _scores(
    options: argparse.Namespace, segmenter: Segmenter, aim: Aim, *, label: str = ""
) -> Scores:
    from itertools import islice

    from tqdm import tqdm

    from mfp_model.evaluation.datasets import READERS
    from mfp_model.evaluation.protocol import click_object
    from mfp_model.evaluation.scores import score

    targets = islice(READERS[options.format](options.root), options.limit)
    show = _saving(options.pictures) if options.pictures else _show_nothing
    return score(
        click_object(segmenter, target, aim=aim, show=show)
        for target in tqdm(targets, unit="object", desc=label or None)
    )


def _show_nothing(*measured: object) -> None:
    """Show nothing."""


def _saving(folder: Path) -> Show:
    """Write a triplet for each object."""
    import re

    import cv2

    from mfp_model.evaluation.metrics import triplet
    from mfp_model.files import write_atomically

    def show(target: EvaluationObject, clicks: Sequence[Click], mask: NDArray[np.bool_]) -> None:
        picture = triplet(target.image, clicks, target.truth, mask)
        encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        name = re.sub(r"[^\w.#-]", "_", target.name)
        write_atomically(folder / f"{name}.png", encoded.tobytes())

    return show


def _draw_confusion(path: Path, report: dict[str, Any]) -> None:
    from mfp_model.evaluation.plots import plot_confusion
    from mfp_model.files import write_atomically

    title = f"{report['checkpoint']}, after {report['after_clicks']} clicks"
    write_atomically(path, plot_confusion(report["confusion"], title=title))


def _plot(options: argparse.Namespace, report: dict[str, Any]) -> None:
    from mfp_model.evaluation.plots import Curve, plot_curves
    from mfp_model.files import write_atomically

    curves = [Curve.from_report(report, name=str(report["checkpoint"]))]
    for path in options.plot_with:
        try:
            earlier = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: expected a report of mfp evaluate, got {error}") from None
        curves.append(Curve.from_report(earlier, name=path.stem))
    write_atomically(options.plot, plot_curves(curves))


def _write(report: dict[str, Any], path: Path | None) -> None:
    """Write the report as JSON where a file is asked for."""
    if path:
        from mfp_model.files import write_atomically

        write_atomically(path, json.dumps(report).encode())
