"""`mfp evaluate clicks`: clicks needed on a labelled folder."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.cluster import add_ray, check_ray, sendable, workers_of
from backend.commands.evaluate.measuring import (
    add_network_changes,
    check_measured,
    clicked,
    measured_segmenter,
    scores_by,
    scores_of,
)
from backend.commands.labelled import add_labelled_data, check_labelled_data
from backend.commands.options import add_segmenter_options
from backend.commands.parsing import Commands, add_json, of
from backend.commands.printing import note_without_effect, show, table, write_file
from backend.environment.readers import count, file, number
from mfp_model.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from backend.cluster.batch import BatchWork
    from mfp_model.evaluation.aims import Aim
    from mfp_model.evaluation.objects import EvaluationObject
    from mfp_model.evaluation.protocol import ClickedObject, Show
    from mfp_model.prompts import Click
    from mfp_model.segmenter import Segmenter

_SHOWN_CLICKS = (1, 2, 3, 5, 10, 20)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add("clicks", "count clicks needed on a labelled folder", _evaluate)
    add_labelled_data(parser)
    add_segmenter_options(parser)
    add_network_changes(parser)
    parser.add_argument(
        "--jitter",
        type=of(number(low=0)),
        default=0.0,
        metavar="PX",
        help="how far clicks may miss their aim",
    )
    parser.add_argument(
        "--clicks",
        choices=("deepest", "human"),
        default="deepest",
        help="where clicks lie: in the middle of the error (default), or scattered as three "
        "groups of people's",
    )
    parser.add_argument(
        "--seed", type=of(count(low=0)), metavar="N", help="of jitter and scatter; default: 0"
    )
    add_ray(parser, "spread the objects over a cluster; the scores are the same")
    add_json(parser)
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
        type=of(file()),
        metavar="FILE.json",
        help="earlier report to draw in the same plot; repeatable",
    )


def _evaluate(options: argparse.Namespace) -> None:
    check_measured(options)
    _check_spread(options)
    _name_what_has_no_effect(options)
    check_labelled_data(options)
    earlier = {path.stem: _read_report(path) for path in options.plot_with}
    if options.clicks == "human":
        report = _of_people(options, measured_segmenter(options))
        lines = [line for name, one in report["groups"].items() for line in (name, *_lines(one))]
        show(options, report, lines)
        return

    def give_up(target: EvaluationObject, why: str) -> None:
        options.problems.tell(f"{target.name}: {why}")

    with workers_of(options, partial(_load, sendable(options)), give_up) as workers:
        scores = scores_by(options, workers.each, show=_saving(options.pictures))
    report = {
        **dataclasses.asdict(scores),
        "segmenter": options.segmenter,
        "checkpoint": workers.version,
    }
    if options.plot:
        _plot(options.plot, report, earlier)
    if options.confusion:
        _draw_confusion(options.confusion, report)
    show(options, report, [f"{options.segmenter} ({workers.version})", *_lines(report)])


def _load(options: argparse.Namespace) -> BatchWork[EvaluationObject, ClickedObject | None]:
    from backend.cluster.batch import BatchWork

    segmenter = measured_segmenter(options)
    click = partial(clicked, segmenter, _aim(options))
    return BatchWork(answer=click, version=segmenter.version, segmenter=segmenter)


def _check_spread(options: argparse.Namespace) -> None:
    """Refuse a cluster where an object's clicks depend on those of the objects before.

    Raises:
        ConfigError: They do.
    """
    check_ray(options)
    if options.ray and (options.jitter or options.clicks == "human"):
        raise ConfigError("--ray: expected clicks without chance, no --jitter or --clicks human")


def _name_what_has_no_effect(options: argparse.Namespace) -> None:
    if options.plot_with and not options.plot:
        note_without_effect("--plot-with", "there is no --plot")
    if options.clicks == "human":
        for name in ("jitter", "plot", "confusion", "pictures"):
            if getattr(options, name):
                note_without_effect(f"--{name}", "with --clicks human there are three groups")
    elif options.seed is not None and not options.jitter:
        note_without_effect("--seed", "without --jitter nothing is random")


def _of_people(options: argparse.Namespace, segmenter: Segmenter) -> dict[str, Any]:
    """One evaluation for each group of people, and the mean and spread over the groups."""
    import numpy as np

    from mfp_model.evaluation.aims import PEOPLE, Person
    from mfp_model.evaluation.protocol import THRESHOLDS

    groups = {}
    for name, spread in PEOPLE.items():
        person = Person(spread=spread, generator=np.random.default_rng(options.seed or 0))
        groups[name] = scores_of(options, segmenter, person, label=name)
    noc = {f"{t:.2f}": [scores.noc[f"{t:.2f}"] for scores in groups.values()] for t in THRESHOLDS}
    return {
        "clicks": "human",
        "noc_mean": {threshold: float(np.mean(values)) for threshold, values in noc.items()},
        "noc_spread": {threshold: float(np.std(values)) for threshold, values in noc.items()},
        "groups": {name: dataclasses.asdict(scores) for name, scores in groups.items()},
        "segmenter": options.segmenter,
        "checkpoint": segmenter.version,
    }


def _aim(options: argparse.Namespace) -> Aim:
    import numpy as np

    from mfp_model.evaluation.aims import Jitter, exact

    if options.jitter <= 0:
        return exact
    return Jitter(radius_px=options.jitter, generator=np.random.default_rng(options.seed or 0))


def _lines(report: Mapping[str, Any]) -> list[str]:
    """Scores for people: clicks by goal, IoU by clicks, and the rest in a line."""
    goals = [f"{float(goal):.0%}" for goal in report["noc"]]
    clicks = [float(value) for value in report["noc"].values()]
    shown = [n for n in _SHOWN_CLICKS if n <= len(report["miou_at"])]
    return [
        *table(
            ("IoU of at least", *goals),
            [("clicks needed, mean", *clicks), ("objects never so good", *report["nof"].values())],
        ),
        "",
        *table(
            ("after clicks", *map(str, shown)),
            [("mean IoU", *(report["miou_at"][n - 1] for n in shown))],
        ),
        "",
        f"{report['n_objects']} objects, {report['median_ms']:.0f} ms a click (median)",
        f"after {report['after_clicks']} clicks: boundary F {report['boundary_f']:.3f}, "
        f"precision {report['precision']:.3f}, recall {report['recall']:.3f}",
        f"newest click obeyed {report['newest_obeyed']:.1%}, all {report['all_obeyed']:.1%}",
    ]


def _saving(folder: Path | None) -> Show | None:
    """Write a triplet for each object, where a folder is named."""
    import re

    import cv2

    from mfp_model.evaluation.metrics import triplet
    from mfp_model.files import write_atomically

    if folder is None:
        return None

    def save(target: EvaluationObject, clicks: Sequence[Click], mask: NDArray[np.bool_]) -> None:
        picture = triplet(target.image, clicks, target.truth, mask)
        encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        name = re.sub(r"[^\w.#-]", "_", target.name)
        write_atomically(folder / f"{name}.png", encoded.tobytes())

    return save


def _draw_confusion(path: Path, report: Mapping[str, Any]) -> None:
    from mfp_model.evaluation.plots import plot_confusion

    title = f"{report['checkpoint']}, after {report['after_clicks']} clicks"
    write_file(path, plot_confusion(report["confusion"], title=title))


def _plot(path: Path, report: dict[str, Any], earlier: Mapping[str, dict[str, Any]]) -> None:
    from mfp_model.evaluation.plots import Curve, plot_curves

    curves = [Curve.from_report(report, name=str(report["checkpoint"]))]
    curves += [Curve.from_report(other, name=name) for name, other in earlier.items()]
    write_file(path, plot_curves(curves))


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a report of mfp evaluate clicks, got {error}") from None
    return report
