"""The page that tells what a fine-tuning led to: curves, masks before and after, data."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mfp_model.drawing import POSITIVE, draw_dot, figure_png, png, png_address
from mfp_model.evaluation.datasets import coco_objects
from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.evaluation.plots import Curve, plot_curves
from mfp_model.files import write_atomically
from mfp_model.fine_tuning.gate import Judgement, mean_noc
from mfp_model.masks.bounds import mask_iou
from mfp_model.masks.depths import deepest_click
from mfp_model.prompts import Click
from mfp_model.segmenter import Segmenter

_log = logging.getLogger(__name__)

_SETS = (("held-out corrections", "corrections"), ("general set", "general"))
_N_EXAMPLES = 8
_TILE_PX = 220
_OUTLINE = (255, 60, 60)


def write_report(
    path: Path,
    *,
    manifest: Mapping[str, Any],
    old: tuple[Judgement, Segmenter],
    new: tuple[Judgement, Segmenter],
    held_out: Path,
    validation_log: Path,
) -> None:
    """Write the page, one HTML file with its pictures in it.

    Args:
        path: The file.
        manifest: The manifest.
        old: What was served so far, and its scores.
        new: The candidate, and its scores.
        held_out: COCO folder of held-out corrections.
        validation_log: CSV of the training's validations.
    """
    judged = (old[0], new[0])
    loader = PackageLoader("mfp_model.fine_tuning", "templates")
    template = Environment(loader=loader, autoescape=select_autoescape()).get_template(
        "report.html"
    )
    page = template.render(
        manifest=manifest,
        rows=[
            (name, *(mean_noc(getattr(judgement, field)) for judgement in judged))
            for name, field in _SETS
        ],
        scores={"before": old[0], "after": new[0]},
        curves={name.capitalize(): png_address(_curves(judged, field)) for name, field in _SETS},
        training=png_address(_training_curve(validation_log)),
        examples=[
            (name, ious, png_address(picture))
            for name, ious, picture in islice(_examples(held_out, old[1], new[1]), _N_EXAMPLES)
        ],
    )
    write_atomically(path, page.encode())


def _curves(judged: tuple[Judgement, ...], field: str) -> bytes:
    curves = []
    for judgement in judged:
        scores = getattr(judgement, field)
        curves.append(Curve(name=judgement.version, miou_at=scores.miou_at, auc=scores.auc))
    return plot_curves(curves)


def _training_curve(log: Path) -> bytes:
    with log.open() as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(7, 3), dpi=120, layout="constrained")
    axes = figure.subplots()
    seen = [int(float(row["n_seen"])) for row in rows]
    for name in ("miou@1", "miou@3", "miou@5"):
        axes.plot(
            seen,
            [float(row[name]) for row in rows],
            marker="o",
            markersize=3,
            label=f"after {name[5:]} clicks" if name[5:] != "1" else "after 1 click",
        )
    axes.set(xlabel="samples learned from", ylabel="mean IoU, held out")
    axes.set_xlim(left=min(0, *seen))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure_png(figure)


def _examples(
    held_out: Path, old: Segmenter, new: Segmenter
) -> Iterator[tuple[str, tuple[float, float], bytes]]:
    """The masks of both after one click on the same place, beside the truth."""
    seen = set()
    for target in coco_objects(held_out, on_problem=_log.warning):
        image = target.name.partition("#")[0]
        if image in seen:
            continue
        seen.add(image)
        truth = target.truth & target.valid
        if not truth.any():
            continue
        click = deepest_click(truth)
        masks = [segmenter.segment(target.image, [click]).mask for segmenter in (old, new)]
        before, after = (mask_iou(mask, target.truth, target.valid) for mask in masks)
        tiles = [_tile(target, mask, click) for mask in (*masks, target.truth)]
        yield target.name, (before, after), png(np.hstack(tiles))


def _tile(target: EvaluationObject, mask: NDArray[np.bool_], click: Click) -> NDArray[np.uint8]:
    height, width = target.truth.shape
    scale = _TILE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = cv2.resize(target.image, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    image = np.where(small[..., None] > 0, image, image // 3)
    contours, _ = cv2.findContours(small, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    tile = np.ascontiguousarray(image, dtype=np.uint8)
    cv2.drawContours(tile, contours, -1, _OUTLINE, 1)
    draw_dot(tile, click.x * scale, click.y * scale, colour=POSITIVE, radius_px=3)
    return np.pad(tile, ((0, 0), (0, 4), (0, 0)), constant_values=255)
