"""`mfp evaluate clicks`: clicks needed on a labelled folder."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from backend.commands.cluster import check_ray, sendable, workers_of
from backend.commands.evaluate.measuring import (
    add_measuring_ray,
    add_network_changes,
    check_measured,
    left_out,
    load_measured,
)
from backend.commands.evaluate.pictures import Pictures
from backend.commands.labelled import add_labelled_data, check_labelled_data, labelled_objects
from backend.commands.options import add_segmenter_options
from backend.commands.parsing import Commands, add_choice, add_count, add_json, of
from backend.commands.printing import note_unused, show, table, write_file
from backend.environment.readers import file, folder, new_file, number
from mfp_model.errors import DataError
from mfp_model.files import parsed_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backend.commands.cluster import Workers
    from mfp_model.evaluation.aims import Aim
    from mfp_model.evaluation.objects import EvaluationObject
    from mfp_model.evaluation.plots import Curve
    from mfp_model.evaluation.protocol import ClickedObject, ObjectResult
    from mfp_model.evaluation.scores import Scores
    from mfp_model.segmenter import Segmenter

_Aimed = tuple["EvaluationObject", str]
"""An object, and the group of people who click on it; empty for whoever clicks in the middle."""

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
    words = "{}: in the middle of the error, or scattered as three groups of people's"
    add_choice(parser, "--clicks", ("deepest", "human"), words, default="deepest")
    add_count(parser, "--seed", "of jitter and scatter; default: 0", low=0)
    add_measuring_ray(parser)
    add_json(parser)
    _add_pictures(parser)


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plot", type=of(new_file()), metavar="FILE.png", help="mean IoU against clicks"
    )
    parser.add_argument(
        "--confusion", type=of(new_file()), metavar="FILE.png", help="matrix as a picture"
    )
    parser.add_argument(
        "--pictures",
        type=of(folder(may_be_new=True)),
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
    check_ray(options)
    _name_what_has_no_effect(options)
    check_labelled_data(options)
    earlier = [_earlier_curve(path) for path in options.plot_with if options.plot]
    load = partial(
        load_measured, sendable(options), partial(_clicked, options.jitter, options.seed)
    )
    with workers_of(options, load, partial(_left_out, options)) as workers:
        if options.clicks == "human":
            report = _of_people(options, workers)
        else:
            report = dataclasses.asdict(_scores(options, workers))
    report |= {"segmenter": options.segmenter, "checkpoint": workers.version}
    lines = _lines_of_people if options.clicks == "human" else _lines
    show(options, report, [f"{options.segmenter} ({workers.version})", *lines(report)])
    if options.clicks == "human":
        return
    if options.plot:
        _plot(options.plot, report, earlier)
    if options.confusion:
        _draw_confusion(options.confusion, report)


def _clicked(jitter: float, seed: int | None, segmenter: Segmenter, aimed: _Aimed) -> ClickedObject:
    from mfp_model.evaluation.protocol import click_object

    target, group = aimed
    return click_object(segmenter, target, aim=_aim(jitter, seed or 0, target, group))


def _aim(jitter: float, seed: int, target: EvaluationObject, group: str) -> Aim:
    """Where clicks land; chance is an object's own, whoever else is clicked on before it."""
    import numpy as np

    from mfp_model.evaluation.aims import PEOPLE, Jitter, Person, exact

    generator = np.random.default_rng([seed, crc32(target.name.encode())])
    if group:
        return Person(spread=PEOPLE[group], generator=generator)
    return Jitter(radius_px=jitter, generator=generator) if jitter > 0 else exact


def _left_out(options: argparse.Namespace, aimed: _Aimed, why: str) -> None:
    left_out(options.problems.tell, aimed[0], why)


def _scores(
    options: argparse.Namespace, workers: Workers[_Aimed, ClickedObject | None], group: str = ""
) -> Scores:
    """The scores of the labelled folder, and a picture of each object where a folder is named."""
    from tqdm import tqdm

    from mfp_model.evaluation.scores import score

    pictures = Pictures(options.pictures) if options.pictures and not group else None

    def results() -> Iterator[ObjectResult]:
        aimed = ((target, group) for target in labelled_objects(options))
        for (target, _), outcome in tqdm(workers.each(aimed), unit="object", desc=group or None):
            if outcome is None:
                continue
            if pictures:
                pictures.save(target, outcome)
            yield outcome.result

    return score(results())


def _name_what_has_no_effect(options: argparse.Namespace) -> None:
    if not options.plot:
        note_unused(options, "there is no --plot", "plot_with")
    if options.clicks == "human":
        reason = "with --clicks human there are three groups"
        note_unused(options, reason, "jitter", "plot", "confusion", "pictures")
    elif not options.jitter:
        note_unused(options, "without --jitter nothing is random", "seed")


def _of_people(
    options: argparse.Namespace, workers: Workers[_Aimed, ClickedObject | None]
) -> dict[str, Any]:
    """One evaluation for each group of people, and the mean and spread over the groups."""
    import numpy as np

    from mfp_model.evaluation.aims import PEOPLE
    from mfp_model.evaluation.protocol import THRESHOLDS

    groups = {name: _scores(options, workers, name) for name in PEOPLE}
    noc = {f"{t:.2f}": [scores.noc[f"{t:.2f}"] for scores in groups.values()] for t in THRESHOLDS}
    return {
        "clicks": "human",
        "noc_mean": {threshold: float(np.mean(values)) for threshold, values in noc.items()},
        "noc_spread": {threshold: float(np.std(values)) for threshold, values in noc.items()},
        "groups": {name: dataclasses.asdict(scores) for name, scores in groups.items()},
    }


def _lines_of_people(report: Mapping[str, Any]) -> list[str]:
    """Scores of each group, and of all."""
    of_groups = [(name, *_lines(group), "") for name, group in report["groups"].items()]
    rows = [(name, *report[f"noc_{name}"].values()) for name in ("mean", "spread")]
    goals = _goals(report["noc_mean"])
    return [*chain(*of_groups), "clicks needed, over the groups", *table(("", *goals), rows)]


def _goals(noc: Mapping[str, float]) -> list[str]:
    return [f"{float(goal):.0%}" for goal in noc]


def _lines(report: Mapping[str, Any]) -> list[str]:
    """Scores for people: clicks by goal, IoU by clicks, and the rest in a line."""
    goals = _goals(report["noc"])
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


def _draw_confusion(path: Path, report: Mapping[str, Any]) -> None:
    from mfp_model.evaluation.plots import plot_confusion

    title = f"{report['checkpoint']}, after {report['after_clicks']} clicks"
    write_file(path, plot_confusion(report["confusion"], title=title))


def _plot(path: Path, report: dict[str, Any], earlier: list[Curve]) -> None:
    from mfp_model.evaluation.plots import Curve, plot_curves

    curve = Curve.from_report(report, name=str(report["checkpoint"]))
    write_file(path, plot_curves([curve, *earlier]))


def _earlier_curve(path: Path) -> Curve:
    from mfp_model.evaluation.plots import Curve

    try:
        report = parsed_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a report of mfp evaluate clicks, got {error}") from None
    return Curve.from_report(report, name=path.stem)
