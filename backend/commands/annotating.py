"""What `mfp annotate` does with images: on this machine, or on a cluster's."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from backend.commands.boxes import boxes_segmenter, mask_maker
from backend.commands.cluster import sendable, workers_of
from backend.commands.options import finder_of, inpainter_of, layers_config_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backend.cluster.batch import BatchWork
    from backend.finding.folder import FolderImage, FoundObjects
    from backend.finding.project import AnnotateSummary, EveryTask, ObjectFinder
    from backend.finding.project_boxes import BoxSummary
    from backend.finding.task_work import Outcome, Summary, TaskImage, Wanted
    from backend.label_studio.label_config import LabelConfig
    from mfp_model.finding.layers import LayeredObject
    from mfp_model.segmenter import Segmenter

    LoadTaskWork = Callable[[argparse.Namespace, LabelConfig], BatchWork[TaskImage, Outcome]]
    WantedOf = Callable[[str, LabelConfig], Wanted[Summary]]  # of a model version

BATCH, LABEL = 8, "Object"


def annotate_boxes(options: argparse.Namespace) -> BoxSummary:
    """Make masks of the rectangles that a project has."""
    from backend.finding.project_boxes import BoxTasks

    def wanted(version: str, config: LabelConfig) -> BoxTasks:
        return BoxTasks(config, version=version)

    return store(options, _load_boxes, wanted)


def annotate_project(options: argparse.Namespace) -> AnnotateSummary:
    """Find every object on a project's tasks."""
    return store(options, _load_objects, every_task)


def every_task(version: str, config: LabelConfig) -> EveryTask:
    """Return that any task of a project has something to do."""
    from backend.finding.project import EveryTask

    return EveryTask(version=version)


def annotate_folder(options: argparse.Namespace) -> AnnotateSummary:
    """Find every object on a folder's images."""
    from tqdm import tqdm

    from backend.finding import folder
    from backend.finding.folder_images import images_of

    def give_up(asked: FolderImage, why: str) -> FoundObjects:
        return folder.FoundObjects(problem=why)

    load = partial(_load_folder, sendable(options))
    with (
        tqdm(total=len(images_of(options.folder, options.out)), unit="image") as bar,
        workers_of(options, load, give_up) as workers,
    ):
        return folder.annotate_folder(
            workers.each,
            options.folder,
            options.out,
            version=workers.version,
            label=options.label or LABEL,
            max_megapixels=options.settings.max_megapixels,
            report=bar.update,
        )


def store(options: argparse.Namespace, load: LoadTaskWork, wanted_of: WantedOf[Summary]) -> Summary:
    """Store a prediction for each task of the options' project, and return what was done.

    Args:
        options: The command's; those that can be sent go to whoever works on tasks.
        load: Loads what makes predictions; it can be pickled.
        wanted_of: Returns which tasks there is anything to do for.
    """
    from tqdm import tqdm

    from backend.finding.storing import store_predictions
    from backend.finding.task_work import lost_task
    from backend.images.sources import image_sources
    from backend.label_studio.api import label_studio_api
    from backend.label_studio.label_config import parse_label_config

    settings = options.settings
    api = label_studio_api(settings)
    config = parse_label_config(api.label_config(options.project))
    give_up = partial(lost_task, wanted_of("", config).new_summary)
    with (
        workers_of(options, partial(load, sendable(options), config), give_up) as workers,
        tqdm(total=api.n_tasks(options.project), unit="task") as bar,
    ):
        return store_predictions(
            wanted_of(workers.version, config),
            workers.each,
            api.patient(),
            options.project,
            config,
            image_sources(settings),
            batch=options.batch or BATCH,
            report=bar.update,
        )


def _load_boxes(options: argparse.Namespace, config: LabelConfig) -> BatchWork[TaskImage, Outcome]:
    from backend.cluster.batch import BatchWork
    from backend.finding.project_boxes import BoxSummary, ProjectBoxes
    from backend.finding.task_work import outcome_of
    from backend.models.version_bucket import fetched

    options.checkpoint = fetched(options.checkpoint, options.settings)
    segmenter = boxes_segmenter(options.checkpoint, options.device)
    make, version = mask_maker(segmenter)
    boxes = ProjectBoxes(
        make,
        config,
        version=version,
        max_megapixels=options.settings.max_megapixels,
        polygon_error_px=options.settings.polygon_error_px,
    )
    return BatchWork(
        answer=partial(outcome_of, boxes, BoxSummary), version=version, segmenter=segmenter
    )


def _load_objects(
    options: argparse.Namespace, config: LabelConfig
) -> BatchWork[TaskImage, Outcome]:
    from backend.cluster.batch import BatchWork
    from backend.finding.project import AnnotateSummary, ProjectObjects
    from backend.finding.task_work import outcome_of

    finder, segmenter = _object_finder(options)
    objects = ProjectObjects(finder, config, polygon_error_px=options.settings.polygon_error_px)
    return BatchWork(
        answer=partial(outcome_of, objects, AnnotateSummary),
        version=finder.version,
        segmenter=segmenter,
    )


def _load_folder(options: argparse.Namespace) -> BatchWork[FolderImage, FoundObjects]:
    from backend.cluster.batch import BatchWork
    from backend.finding.folder import find_on

    finder, segmenter = _object_finder(options)
    return BatchWork(answer=partial(find_on, finder), version=finder.version, segmenter=segmenter)


def _object_finder(options: argparse.Namespace) -> tuple[ObjectFinder, Segmenter | None]:
    """What finds objects, and the segmenter that it does that with."""
    from backend.finding.loaded_finders import finding_version
    from backend.finding.project import ObjectFinder
    from backend.models.version_bucket import fetched
    from mfp_model.finding.finders import ClickFinder
    from mfp_model.finding.layers import find_layers

    options.checkpoint = fetched(options.checkpoint, options.settings)
    finder, inpainter, config = finder_of(options), inpainter_of(options), layers_config_of(options)

    def find(image: NDArray[np.uint8]) -> list[LayeredObject]:
        return find_layers(image, finder, inpainter, config)

    object_finder = ObjectFinder(
        find=find,
        version=finding_version(finder.version, inpainter.version, config),
        max_megapixels=options.settings.max_megapixels,
    )
    return object_finder, finder.segmenter if isinstance(finder, ClickFinder) else None
