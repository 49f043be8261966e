"""`mfp evaluate behind`: what segment-and-inpaint brings."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.commands.options import (
    add_finder_options,
    check_finder_options,
    finder_of,
    inpainter_of,
    layers_config_of,
)
from backend.commands.parsing import Commands, add_count, add_json, of
from backend.commands.printing import note_unused, show, table, write_file
from backend.environment.readers import folder, new_file
from mfp_model.data.coco_layout import annotation_file
from mfp_model.errors import DataError

if TYPE_CHECKING:
    from mfp_model.evaluation.behind import BehindResult
    from mfp_model.finding.finders import Finder
    from mfp_model.finding.inpainters import Inpainter


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "behind", "find objects behind others, with and without inpainting", _evaluate
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--occlusions",
        type=of(folder()),
        metavar="DIR",
        help="COCO folder whose objects are pasted before each other",
    )
    source.add_argument(
        "--voc", type=of(folder()), metavar="VOC2012", help="mean IoU of its classes"
    )
    add_count(parser, "--limit", "pictures", default=40)
    add_count(parser, "--seed", "of the pasting", low=0, default=0)
    add_finder_options(parser)
    add_json(parser)
    parser.add_argument(
        "--sheet", type=of(new_file()), metavar="FILE.png", help="with --occlusions"
    )


def _evaluate(options: argparse.Namespace) -> None:
    if options.voc:
        note_unused(options, "it is for --occlusions", "sheet", "seed")
    check_finder_options(options)
    if options.occlusions:
        annotation_file(options.occlusions)  # before what takes seconds to load
    finder, inpainter = finder_of(options), inpainter_of(options)
    measure = _voc if options.voc else _occlusions
    report = {
        **measure(options, finder, inpainter),
        "finder": finder.version,
        "inpainter": inpainter.version,
    }
    show(options, report, _lines(report))


def _lines(report: dict[str, Any]) -> list[str]:
    without, with_rounds = (_flat(report[name]) for name in ("without", "with"))
    rows = [
        (name.replace("_", " "), value, with_rounds.get(name)) for name, value in without.items()
    ]
    return [
        f"finder {report['finder']}, inpainter {report['inpainter']}",
        *table(("", "without", "with inpainting"), rows),
    ]


def _flat(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores with those of each class in their midst."""
    classes: dict[str, Any] = scores.get("by_class", {})
    return {name: value for name, value in scores.items() if name != "by_class"} | classes


def _occlusions(
    options: argparse.Namespace, finder: Finder, inpainter: Inpainter
) -> dict[str, Any]:
    import numpy as np
    from tqdm import tqdm

    from mfp_model.evaluation.behind import behind_scores, look_behind
    from mfp_model.evaluation.datasets import unread_coco_objects
    from mfp_model.evaluation.occlusions import occlusions

    config = layers_config_of(options)
    tell = options.problems.tell
    objects = unread_coco_objects(options.occlusions, on_problem=tell)
    generator = np.random.default_rng(options.seed)
    pictures = list(occlusions(objects, options.limit, generator, on_problem=tell))
    if not pictures:
        raise DataError(f"{options.occlusions}: no two objects of which one can cover the other")
    results = {}
    for name, rounds in (("without", 0), ("with", config.max_rounds)):
        steps = dataclasses.replace(config, max_rounds=rounds)
        results[name] = list(look_behind(tqdm(pictures), finder, inpainter, steps))
    if options.sheet:
        _write_sheet(options.sheet, list(zip(results["without"], results["with"], strict=True)))
    report: dict[str, Any] = {
        name: dataclasses.asdict(behind_scores(collected)) for name, collected in results.items()
    }
    return {**report, "n_pictures": len(pictures)}


def _write_sheet(path: Path, pairs: Sequence[tuple[BehindResult, BehindResult]]) -> None:
    from mfp_model.drawing import png
    from mfp_model.evaluation.behind import sheet

    write_file(path, png(sheet(pairs[:12])))


def _voc(options: argparse.Namespace, finder: Finder, inpainter: Inpainter) -> dict[str, Any]:
    from tqdm import tqdm

    from mfp_model.evaluation.voc import compared, read_voc

    readable = read_voc(options.voc, on_problem=options.problems.tell)
    pictures = tqdm(islice(readable, options.limit), unit="image")
    knows_classes = options.finder == "deeplab"
    collected = compared(
        pictures, finder, inpainter, layers_config_of(options), knows_classes=knows_classes
    )
    return {name: {"miou": x.mean(), "by_class": x.by_class()} for name, x in collected.items()}
