"""`mfp evaluate sessions`: recorded clicks, replayed against a segmenter."""

from __future__ import annotations

import argparse
import dataclasses
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from backend.commands.cluster import check_ray, sendable, workers_of
from backend.commands.evaluate.measuring import (
    add_measuring_ray,
    add_network_changes,
    check_measured,
    left_out,
    load_measured,
)
from backend.commands.labelled import add_limit
from backend.commands.options import add_project, add_segmenter_options
from backend.commands.parsing import Commands, add_json
from backend.commands.printing import show, table
from mfp_model.errors import DataError

if TYPE_CHECKING:
    from mfp_model.evaluation.recorded import RecordedScores


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "sessions", "replay recorded clicks, of the settings' data folder", _evaluate
    )
    add_project(parser, "default: all projects")
    add_limit(parser)
    add_segmenter_options(parser)
    add_network_changes(parser)
    add_measuring_ray(parser)
    add_json(parser)


def _evaluate(options: argparse.Namespace) -> None:
    check_measured(options)
    check_ray(options)
    from tqdm import tqdm

    from backend.images.sources import image_sources
    from backend.recording.recorded_objects import read_objects
    from backend.recording.replayed import targets_of
    from backend.storage.shared_state import SharedState
    from mfp_model.evaluation.recorded import ious_after_clicks, score_curves

    settings = options.settings
    state = SharedState(*settings.places)
    objects = read_objects(state.recorded(), project=str(options.project or ""))
    if not objects:
        raise DataError("nothing was recorded yet")
    problems: list[str] = []
    targets = targets_of(
        objects,
        image_sources(settings),
        max_megapixels=settings.max_megapixels,
        problems=problems,
    )
    load = partial(load_measured, sendable(options), ious_after_clicks)
    with workers_of(options, load, partial(left_out, problems.append)) as workers:
        results = tqdm(workers.each(islice(targets, options.limit)), unit="object")
        scores = score_curves(curve for _, curve in results if curve is not None)
    report = {
        **dataclasses.asdict(scores),
        "segmenter": options.segmenter,
        "checkpoint": workers.version,
    }
    options.problems.tell(*problems)
    show(options, report, _lines(f"{options.segmenter} ({workers.version})", scores))


def _lines(measured: str, scores: RecordedScores) -> list[str]:
    curve = enumerate(scores.miou_at, start=1)
    return [
        f"{measured}, {scores.n_objects} objects, {scores.n_clicks} clicks",
        f"mean IoU after the last click {scores.final_iou:.3f}",
        *table(("after clicks", "mean IoU"), list(curve)),
    ]
