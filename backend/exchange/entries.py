"""One labelled task -> what COCO holds of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from backend.exchange.choice import ChoiceRules, ChosenAnnotation, chosen
from backend.exchange.placing import MODES, ImagePlacer, PlacedImage
from backend.exchange.segmentation import segmentation_of
from backend.exchange.spool import TaskEntries
from backend.exchange.tasks import LabeledTask
from backend.images.address import file_name, is_embedded, public_address, shown_address
from backend.label_studio.label_config import LabelConfig
from backend.label_studio.regions import MaskRegion, regions_of
from mfp_model.errors import ConfigError, DataError, ImageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How to export.

    Attributes:
        rules: Which annotations count.
        images: `copy`, `link` (to files in mounted folders), or `none`: then sizes are believed.
        polygon_error_px: How far polygons may be from a mask's edge; None for COCO RLE, which is
            exact.
        strict: Stop at the first item that cannot be exported.
        max_megapixels: Larger images are refused.
    """

    rules: ChoiceRules = field(default_factory=ChoiceRules)
    images: str = "copy"
    polygon_error_px: float | None = None
    strict: bool = False
    max_megapixels: float = 50.0

    def __post_init__(self) -> None:
        if self.images not in MODES:
            raise ConfigError(f"images={self.images!r}: expected one of {', '.join(MODES)}")


class TaskReader:
    """Turns tasks into COCO's images and annotations."""

    def __init__(
        self, config: LabelConfig | None, options: ExportOptions, placer: ImagePlacer
    ) -> None:
        self._config = config
        self._options = options
        self._placer = placer

    def entries(self, task: LabeledTask) -> TaskEntries:
        """Return what a task adds; what is damaged is among its problems.

        Raises:
            LabelStudioError: Label Studio does not accept the token.
        """
        entries = TaskEntries()
        annotations = chosen(task, self._options.rules, entries.left_out)
        if not annotations:
            entries.left_out["tasks without annotation"] += 1
            return entries
        regions: list[tuple[ChosenAnnotation, MaskRegion]] = []
        for annotation in annotations:
            for region in regions_of(annotation.result, entries.left_out):
                if isinstance(region, DataError):
                    entries.problems.append(f"task {task.id}: {annotation.name}: {region}")
                elif self._config is not None and region.from_name in self._config.seeds:
                    entries.left_out["seed strokes"] += 1
                else:
                    regions.append((annotation, region))
        images = self._images(task, [region for _, region in regions], entries)
        for annotation, region in regions:
            try:
                self._add(task, annotation, region, images, entries)
            except DataError as error:
                where = f"task {task.id}: {annotation.name}: region {region.id}"
                entries.problems.append(f"{where}: {error}")
        return entries

    def _images(
        self, task: LabeledTask, regions: list[MaskRegion], entries: TaskEntries
    ) -> dict[str, dict[str, Any]]:
        """The task's images by their key in its data; a missing one is a problem, told once."""
        placed_images = {}
        for index, key in enumerate(keys := self._image_keys(task)):
            address = task.data[key]
            try:
                placed = self._place(task, key, address, regions, is_only=len(keys) == 1)
            except ImageError as error:
                entries.problems.append(
                    f"task {task.id}: image {shown_address(address)!r}: {error}"
                )
                continue
            if placed is None:
                entries.left_out["images of unknown size without objects"] += 1
                continue
            public = None if is_embedded(address) else public_address(address)
            placed_images[key] = {
                "id": task.id if len(keys) == 1 else task.id * len(keys) + index,
                **asdict(placed),
                "label_studio": {"task": task.id, "key": key, "image": public},
            }
        entries.images += placed_images.values()
        return placed_images

    def _place(
        self, task: LabeledTask, key: str, address: str, regions: list[MaskRegion], *, is_only: bool
    ) -> PlacedImage | None:
        prefix = f"{task.id}-" if is_only else f"{task.id}-{key}-"
        if self._options.images != "none":
            return self._placer.place(address, task_id=task.id, prefix=prefix)
        region = next((other for other in regions if self._key_of(other, task) == key), None)
        if region is None:
            return None
        name = prefix + file_name(address)
        return PlacedImage(file_name=name, width=region.width, height=region.height)

    def _image_keys(self, task: LabeledTask) -> list[str]:
        if self._config is not None:
            keys = list(dict.fromkeys(self._config.image_keys.values()))
        else:
            keys = ["image"] if "image" in task.data else list(task.data)[:1]
        return [key for key in keys if isinstance(task.data.get(key), str)]

    def _key_of(self, region: MaskRegion, task: LabeledTask) -> str | None:
        keys = self._image_keys(task)
        if self._config is not None and region.to_name:
            return self._config.image_keys.get(region.to_name)
        return keys[0] if len(keys) == 1 else None

    def _add(
        self,
        task: LabeledTask,
        annotation: ChosenAnnotation,
        region: MaskRegion,
        images: dict[str, dict[str, Any]],
        entries: TaskEntries,
    ) -> None:
        key = self._key_of(region, task)
        if key is None or not isinstance(task.data.get(key), str):
            raise DataError(f"to_name={region.to_name!r:.40}: the task has no such image")
        image = images.get(key)
        if image is None:
            raise DataError("its image is missing")
        size, expected = (region.width, region.height), (image["width"], image["height"])
        if size != expected:
            raise DataError(
                f"made on {size[0]}x{size[1]}, the image is {expected[0]}x{expected[1]}"
            )
        label = self._label(region)
        if len(region.labels) > 1:
            entries.left_out["further labels of an object"] += len(region.labels) - 1
        shape = asdict(segmentation_of(region, polygon_error_px=self._options.polygon_error_px))
        source = {**annotation.source, "region": region.id, "origin": region.origin}
        score = annotation.score if region.score is None else region.score
        coco = {
            "image_id": image["id"],
            "iscrowd": 0,
            **{name: value for name, value in shape.items() if value is not None},
            **({} if score is None or "prediction" not in annotation.source else {"score": score}),
            "label_studio": source,
        }
        entries.annotations.append((label, coco))

    def _label(self, region: MaskRegion) -> str:
        named = region.labels or (region.from_name,)
        if self._config is None:
            return named[0]
        label = self._config.aliases.get(named[0], named[0])
        if label not in self._config.labels:
            what = f"label {label!r:.60}" if region.labels else "no label"
            raise DataError(f"{what}: expected one of {', '.join(self._config.labels)}"[:300])
        return label
