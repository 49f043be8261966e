"""`mfp annotate --like`: what looks like one region, on all tasks of a project."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from backend.commands.annotating import every_task, store
from mfp_model.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backend.cluster.batch import BatchWork
    from backend.finding.project import AnnotateSummary
    from backend.finding.task_work import Outcome, TaskImage
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


def annotate_like(options: argparse.Namespace) -> AnnotateSummary:
    """Find what looks like the region; loads torch."""
    from backend.images.sources import image_sources
    from backend.label_studio.api import label_studio_api
    from backend.label_studio.label_config import parse_label_config

    settings = options.settings
    api = label_studio_api(settings)
    config = parse_label_config(api.label_config(options.project))
    sources = image_sources(settings)
    example = _example(options, api, config, sources)
    return store(options, partial(_load_alike, example), every_task)


def _load_alike(
    given: tuple[MaskRegion, NDArray[np.uint8], NDArray[np.bool_]],
    options: argparse.Namespace,
    config: LabelConfig,
) -> BatchWork[TaskImage, Outcome]:
    from backend.cluster.batch import BatchWork
    from backend.finding.project import AnnotateSummary
    from backend.finding.project_alike import ProjectAlike
    from backend.finding.task_work import outcome_of
    from backend.models.version_bucket import fetched
    from mfp_model.finding.alike import find_alike
    from mfp_model.finding.likeness import example_of
    from mfp_model.loading import load_segmenter
    from mfp_model.weights.versions import without_precision

    options.checkpoint = fetched(options.checkpoint, options.settings)
    segmenter = load_segmenter("mfp", checkpoint=options.checkpoint, device=options.device)
    region, image, mask = given
    example = example_of(segmenter, image, mask)

    def find(pixels: NDArray[np.uint8], taken: NDArray[np.bool_]) -> list[AlikeObject]:
        return find_alike(segmenter, pixels, example, taken=taken)

    number, name = options.like
    alike = ProjectAlike(
        find,
        config,
        region,
        version=f"{without_precision(segmenter.version)}-like-{number}-{name}"[:100],
        max_megapixels=options.settings.max_megapixels,
        polygon_error_px=options.settings.polygon_error_px,
    )
    return BatchWork(
        answer=partial(outcome_of, alike, AnnotateSummary),
        version=alike.version,
        segmenter=segmenter,
    )


def _example(
    options: argparse.Namespace, api: LabelStudioApi, config: LabelConfig, sources: ImageFiles
) -> tuple[MaskRegion, NDArray[np.uint8], NDArray[np.bool_]]:
    """The region that is named, its image and its mask.

    Raises:
        DataError: There is no such task or region, or it is of another size than the image.
        ImageError: The image cannot be read.
    """
    from backend.finding.project_alike import region_of
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
