"""One labelled task -> what COCO holds of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from backend.exchange.annotation_choice import ChoiceRules, ChosenAnnotation, chosen
from backend.exchange.pages import Page, pages_of
from backend.exchange.placing import MODES, ImagePlacer, PlacedImage
from backend.exchange.segmentation import segmentation_of
from backend.exchange.spool import TaskEntries
from backend.exchange.tasks import LabeledTask
from backend.images.address import (
    file_name,
    is_embedded,
    public_address,
    safe_name,
    shown_address,
)
from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.label_config import LabelConfig, TaskConfigs
from backend.label_studio.regions import MaskRegion, regions_of
from mfp_model.errors import DataError, ImageError, check_choice
from mfp_model.names import EXPORT_FORMS


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How to export.

    Attributes:
        rules: Which annotations count.
        form: A name in `mfp_model.names.EXPORT_FORMS`.
        images: `copy`, `link` (to files in mounted folders), or `none`: then sizes are believed.
        polygon_error_px: How far COCO's polygons may be from a mask's edge; None for RLE, which is
            exact.
        outline_error_px: How far YOLO's outlines may be from a mask's edge.
        val_share: The share of the tasks that go into YOLO's validation, 0..1.
        strict: Stop at the first item that cannot be exported.
        max_megapixels: Larger images are refused.
    """

    rules: ChoiceRules = field(default_factory=ChoiceRules)
    form: str = "coco"
    images: str = "copy"
    polygon_error_px: float | None = None
    outline_error_px: float = 0.25
    val_share: float = 0.2
    strict: bool = False
    max_megapixels: float = 50.0

    def __post_init__(self) -> None:
        check_choice("images", self.images, MODES)
        check_choice("form", self.form, EXPORT_FORMS)


class TaskReader:
    """Turns tasks into COCO's images and annotations."""

    def __init__(
        self, configs: TaskConfigs | None, options: ExportOptions, placer: ImagePlacer
    ) -> None:
        self._configs = configs
        self._options = options
        self._placer = placer

    def entries(self, task: LabeledTask) -> TaskEntries:
        """Return what a task adds; what is damaged is among its problems.

        Raises:
            LabelStudioError: Label Studio does not accept the token.
        """
        try:
            config = None if self._configs is None else self._configs.of(task.data)
        except LabelConfigError as error:
            return TaskEntries(problems=[f"task {task.id}: {error}"])
        return _Reading(config, self._options, self._placer).entries(task)


class _Reading:
    """Turns one task into COCO's, with the label configuration that it has."""

    def __init__(
        self, config: LabelConfig | None, options: ExportOptions, placer: ImagePlacer
    ) -> None:
        self._config = config
        self._options = options
        self._placer = placer

    def entries(self, task: LabeledTask) -> TaskEntries:
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
    ) -> list[tuple[Page, dict[str, Any] | None]]:
        """The task's pages with COCO's images; a missing one is None, and one problem.

        Its masks are none of their own: of a photo with 300 they would hide the next photo.
        """
        images: list[tuple[Page, dict[str, Any] | None]] = []
        pages = list(pages_of(task.data, self._image_keys(task)))
        for page in pages:
            try:
                placed = self._place(task, page, regions, is_only=len(pages) == 1)
            except ImageError as error:
                n_masks = sum(page.has(region, self._key_of(region, task)) for region in regions)
                lost = f"; its masks are left out: {n_masks}" if n_masks else ""
                where = f"task {task.id}: image {shown_address(page.address)!r}"
                entries.problems.append(f"{where}: {error}{lost}")
                images.append((page, None))
                continue
            if placed is None:
                entries.left_out["images of unknown size without objects"] += 1
                continue
            image = {"id": page.image_id(task.id), **asdict(placed)}
            images.append((page, {**image, "label_studio": _source(task, page)}))
        entries.images += [image for _, image in images if image is not None]
        return images

    def _place(
        self, task: LabeledTask, page: Page, regions: list[MaskRegion], *, is_only: bool
    ) -> PlacedImage | None:
        prefix = f"{task.id}-" if is_only else f"{task.id}-{_page_name(page)}-"
        if self._options.images != "none":
            return self._placer.place(page.address, task_id=task.id, prefix=prefix)
        on_it = (region for region in regions if page.has(region, self._key_of(region, task)))
        region = next(on_it, None)
        if region is None:
            return None
        name = prefix + file_name(page.address)
        return PlacedImage(file_name=name, width=region.width, height=region.height)

    def _image_keys(self, task: LabeledTask) -> list[str]:
        if self._config is not None:
            return list(dict.fromkeys(self._config.image_keys.values()))
        return ["image"] if "image" in task.data else list(task.data)[:1]

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
        images: list[tuple[Page, dict[str, Any] | None]],
        entries: TaskEntries,
    ) -> None:
        key = self._key_of(region, task)
        on_it = [image for page, image in images if page.has(region, key)]
        if not on_it:
            which = "" if region.item_index is None else f" [{region.item_index}]"
            raise DataError(f"to_name={region.to_name!r:.40}{which}: the task has no such image")
        image = on_it[0]
        if image is None:
            return  # told with its image
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
            "iscrowd": int(region.is_crowd),
            **{name: value for name, value in shape.items() if value is not None},
            **({} if score is None or "prediction" not in annotation.source else {"score": score}),
            "label_studio": source,
        }
        entries.annotations.append((label, coco))

    def _label(self, region: MaskRegion) -> str:
        named = region.labels or (region.from_name,)
        if self._config is None:
            return named[0]
        label = self._config.value_of(named[0], region.from_name)
        if label not in self._config.labels:
            what = f"label {label!r:.60}" if region.labels else "no label"
            raise DataError(f"{what}: expected one of {', '.join(self._config.labels)}"[:300])
        return label


def _page_name(page: Page) -> str:
    """What no other page of the task is called, in letters that every system takes."""
    which = page.key if page.index is None else f"{page.key}-{page.index}"
    name = safe_name(which)
    return name if name == which else f"{name}-{page.number}"  # other paths lose letters, too


def _source(task: LabeledTask, page: Page) -> dict[str, Any]:
    """Where an image comes from, without what is secret in its address."""
    public = None if is_embedded(page.address) else public_address(page.address)
    source: dict[str, Any] = {"task": task.id, "key": page.key, "image": public}
    if page.index is not None:
        source["index"] = page.index
    if public != page.address:
        source["is_shortened"] = True
    return source
