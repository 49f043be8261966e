"""`mfp annotate --like`: what looks like one region, on all tasks of a project."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands.printing import PROBLEMS_CODE, facts, show, show_problems
from mfp_model.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backend.images.sources import ImageFiles
    from backend.label_studio.api import LabelStudioApi
    from backend.label_studio.label_config import LabelConfig
    from backend.label_studio.regions import MaskRegion
    from mfp_model.finding.alike import AlikeObject


def task_and_region(text: str) -> tuple[int, str]:
    """Return what `TASK:REGION` names."""
    task, colon, region = text.partition(":")
    if not colon or not region or not task.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected TASK:REGION, such as 12:aB3xY")
    return int(task), region


def annotate_like(options: argparse.Namespace, checkpoint: Path | None, batch: int) -> int:
    """Find what looks like the region, and return the exit code; loads torch."""
    from tqdm import tqdm

    from backend.finding.alike import ProjectAlike
    from backend.finding.storing import store_predictions
    from backend.images.sources import image_sources
    from backend.label_studio.api import label_studio_access, label_studio_api
    from backend.label_studio.label_config import parse_label_config
    from mfp_model.finding.alike import find_alike
    from mfp_model.finding.likeness import example_of
    from mfp_model.loading import load_segmenter

    settings = options.settings
    api = label_studio_api(settings)
    config = parse_label_config(api.label_config(options.project))
    sources = image_sources(settings, label_studio_access(settings))
    region, image, mask = _example(options, api, config, sources)
    segmenter = load_segmenter("mfp", checkpoint=checkpoint, device=options.device)
    example = example_of(segmenter, image, mask)

    def find(pixels: NDArray[np.uint8], taken: NDArray[np.bool_]) -> list[AlikeObject]:
        return find_alike(segmenter, pixels, example, taken=taken)

    number, name = options.like
    alike = ProjectAlike(
        find,
        config,
        region,
        version=f"{segmenter.version}-like-{number}-{name}"[:100],
        max_megapixels=settings.max_megapixels,
        polygon_error_px=settings.polygon_error_px,
    )
    with tqdm(total=api.n_tasks(options.project), unit="task") as bar:

        def report() -> None:
            bar.update()

        store_predictions(
            alike, api.patient(), options.project, config, sources, batch=batch, report=report
        )
    figures = dataclasses.asdict(alike.summary)
    problems = figures.pop("problems")
    show_problems(problems, len(problems))
    figures["problems"] = len(problems)
    show(options, figures, facts(figures))
    return PROBLEMS_CODE if problems else 0


def _example(
    options: argparse.Namespace, api: LabelStudioApi, config: LabelConfig, sources: ImageFiles
) -> tuple[MaskRegion, NDArray[np.uint8], NDArray[np.bool_]]:
    """The region that is named, its image and its mask.

    Raises:
        DataError: There is no such task or region, or it is of another size than the image.
        ImageError: The image cannot be read.
    """
    from backend.finding.alike import region_of
    from backend.images.decoding import decode_image
    from backend.label_studio.shapes import region_mask
    from backend.label_studio.task_values import page_at

    number, name = options.like
    tasks = api.tasks_after(options.project, number - 1, limit=1)
    if not tasks or int(tasks[0]["id"]) != number:
        raise DataError(f"--like {number}:{name}: project {options.project} has no task {number}")
    region = region_of(tasks[0], name)
    value = config.image_values.get(region.to_name, next(iter(config.image_values.values()), ""))
    address = page_at(value, tasks[0]["data"], region.item_index or 0)[0]
    content = sources.read(address if isinstance(address, str) else "", str(number))
    image = decode_image(content, max_megapixels=options.settings.max_megapixels)
    if (region.height, region.width) != image.shape[:2]:
        raise DataError(
            f"--like {number}:{name}: made on {region.width}x{region.height}, the image is "
            f"{image.shape[1]}x{image.shape[0]}"
        )
    return region, image, region_mask(region)
