"""Images of a COCO folder -> one task of Label Studio."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from backend.exchange.annotations import MaskWriter, image_source
from backend.exchange.image_addresses import ImageAddress
from backend.exchange.pages import put
from backend.label_studio.label_config import LabelConfig, TaskConfigs
from backend.label_studio.rows import Row
from mfp_model.data.coco_data import CocoImage
from mfp_model.data.pictures import check_image
from mfp_model.errors import DataError

FORMS = ("predictions", "annotations")
FILE_KEY = "coco_file_name"  # in a task's data: shown in the Data Manager
DIGEST_KEY = "coco_digest"  # in a task's data: asked for again
_VERSION = "coco-import"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """What an import did.

    Attributes:
        tasks: Tasks made.
        masks: Masks in them.
        known: Images left out because the project has them from an earlier import.
        crowds: Those of the masks that are groups of objects; their regions have the note `crowd`.
        unchecked: Images whose files are not here, so that COCO's sizes are believed.
        polygon_iou: The least and the mean IoU of masks with the outlines that a control took in
            their place.
        problems: Masks and images that could not be imported, and why.
    """

    tasks: int
    masks: int
    known: int
    crowds: int
    unchecked: int
    polygon_iou: dict[str, float] | None
    problems: list[str]


def in_tasks(images: Iterable[CocoImage], config: LabelConfig) -> list[list[CocoImage]]:
    """Return the images of each task: those that an export took from one task, else one each.

    An image has a task of its own, too, where the configuration has no place for it beside the
    others, or another image has that place, as in a folder that was put together of two exports.
    """
    tasks: dict[object, list[CocoImage]] = {}
    taken: set[tuple[str, str, str]] = set()
    keys = list(config.image_keys.values())
    for image in images:
        source = image_source(image)
        place = (str(source.get("task")), str(source.get("key")), str(source.get("index")))
        has_place = source.get("key") in keys and place not in taken
        is_of_task = "task" in source and has_place
        taken.add(place)
        name = ("task", str(source["task"])) if is_of_task else ("image", image.id)
        tasks.setdefault(name, []).append(image)
    return list(tasks.values())


class TaskMaker:
    """Makes tasks for a label configuration, and counts what it made."""

    def __init__(
        self,
        configs: TaskConfigs,
        categories: Iterable[str],
        *,
        form: str,
        on_problem: Callable[[str], None],
    ) -> None:
        """Prepare.

        Args:
            configs: The project's label configuration.
            categories: Labels of tasks, where the configuration takes them from there.
            form: `predictions` or `annotations`.
            on_problem: Told of each mask that is left out, and why.

        Raises:
            DataError: The configuration has no place for a mask.
        """
        MaskWriter(configs.common)
        self._configs = configs
        self._categories = list(categories)
        self._form = form
        self._on_problem = on_problem
        self._n_masks = self._n_crowds = self._n_unchecked = 0
        self._ious: list[float] = []

    def task(self, images: list[CocoImage], address: ImageAddress, digest: str) -> dict[str, Any]:
        """Return a task.

        Args:
            images: Its images.
            address: Gives each image's address; asked only where the image can be used.
            digest: Tells the task from others.

        Raises:
            DataError: An image has another size than its file, or no address.
            ImageError: An image's file is damaged.
        """
        turns = [self._turn(image) for image in images]
        data: dict[str, Any] = {
            FILE_KEY: ", ".join(image.file_name for image in images),
            DIGEST_KEY: digest,
        }
        for key in self._configs.label_keys:
            put(data, key, None, self._categories)
        rows: list[Row] = []
        config = self._configs.of(data)
        writer = MaskWriter(config)
        for image, turn in zip(images, turns, strict=True):
            to_name, key, page = _place(image, config)
            put(data, key, page, address(image))
            self._n_unchecked += not image.path.is_file()
            rows += self._rows(writer, image, to_name, page, turn)
        version = {"model_version": _VERSION} if self._form == "predictions" else {}
        return {"data": data, self._form: [{"result": rows, **version}]}

    def _turn(self, image: CocoImage) -> int:
        """How its masks are turned to lie on what the page shows."""
        if not image.path.is_file():
            return 1
        try:
            return image.turn(check_image(image.path))
        except DataError as error:
            raise DataError(f"{image.file_name}: {error}") from None

    def _rows(
        self, writer: MaskWriter, image: CocoImage, to_name: str, page: int | None, turn: int
    ) -> list[Row]:
        rows: list[Row] = []
        for annotation in image.annotations:
            try:
                written = writer.written(image, annotation, to_name=to_name, page=page, turn=turn)
            except DataError as error:
                self._on_problem(f"{image.file_name}: annotation {annotation.id}: {error}")
                continue
            rows += written.rows
            self._n_masks += 1
            self._n_crowds += annotation.is_crowd
            self._ious += [] if written.polygon_iou is None else [written.polygon_iou]
        return rows

    def summary(self, n_tasks: int, *, n_known: int, problems: list[str]) -> ImportSummary:
        """Return what was done."""
        ious = self._ious
        return ImportSummary(
            tasks=n_tasks,
            masks=self._n_masks,
            known=n_known,
            crowds=self._n_crowds,
            unchecked=self._n_unchecked,
            polygon_iou={"least": min(ious), "mean": sum(ious) / len(ious)} if ious else None,
            problems=problems,
        )


def _place(image: CocoImage, config: LabelConfig) -> tuple[str, str, int | None]:
    """Name of the image in the configuration, its path in the data, and its page."""
    source, keys = image_source(image), config.image_keys
    for name, key in keys.items():
        if key == source.get("key"):
            return name, key, source.get("index")
    name = (*config.controls, *config.plain)[0].to_name
    return name, keys.get(name, "image"), None
