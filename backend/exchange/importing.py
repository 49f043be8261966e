"""A COCO folder -> tasks of Label Studio, with its masks as predictions or annotations."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.exchange.brushes import brush_control, brush_prediction
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.label_config import LabelConfig
from mfp_model.data.coco_data import CocoData, CocoImage
from mfp_model.errors import ConfigError, DataError

FORMS = ("predictions", "annotations")
FILE_KEY = "coco_file_name"  # in a task's data: shown in the Data Manager, and asked for again
_VERSION = "coco-import"

ImageAddress = Callable[[CocoImage], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """What an import did.

    Attributes:
        tasks: Tasks made.
        masks: Masks in them.
        known: Images left out because the project has them from an earlier import.
        crowds: Crowds left out, for which Label Studio has no form.
        problems: Masks and images that could not be imported, and why.
    """

    tasks: int
    masks: int
    known: int
    crowds: int
    problems: list[str]


class CocoImport:
    """Makes tasks of a folder's images."""

    def __init__(
        self, folder: CocoData, config: LabelConfig, *, form: str, strict: bool = False
    ) -> None:
        """Prepare an import.

        Args:
            folder: What to import.
            config: The project's label configuration.
            form: `predictions` or `annotations`.
            strict: Stop at the first problem.

        Raises:
            DataError: The configuration has no place for a mask.
        """
        if form not in FORMS:
            raise ConfigError(f"form={form!r}: expected {' or '.join(FORMS)}")
        self._folder = folder
        self._form = form
        self._strict = strict
        self._control = brush_control(config)
        self._image_key = config.image_keys.get(self._control.to_name, "image")
        self._n_masks = 0
        self._n_crowds = 0
        self._problems: list[str] = []

    def into_project(
        self,
        api: LabelStudioApi,
        project: int,
        address: ImageAddress | None = None,
        *,
        report: Callable[[], None] = lambda: None,
    ) -> ImportSummary:
        """Make tasks in a project, image by image; run again after a cut, it goes on.

        Args:
            api: Label Studio.
            project: The project's id.
            address: Gives each image's address; None to upload the files.
            report: Called after each image.

        Raises:
            LabelStudioError: It cannot be reached, or refuses a task.
            ConfigError: With `strict`, the first problem.
        """
        imported = api.data_values(project, FILE_KEY)
        missing = [image for image in self._folder.images if image.file_name not in imported]
        n_tasks = 0
        for image in missing:
            try:
                where = self._uploaded(api, project, image) if address is None else address(image)
                api.import_tasks(project, [self._task(image, where)])
                n_tasks += 1
            except DataError as error:
                self._note(error)
            report()
        return self._summary(n_tasks, n_known=len(self._folder.images) - len(missing))

    def into_file(
        self, path: Path, address: ImageAddress, *, report: Callable[[], None] = lambda: None
    ) -> ImportSummary:
        """Write the tasks as JSON that Label Studio imports, whole or not at all.

        Args:
            path: The file.
            address: Gives each image's address.
            report: Called after each image.

        Raises:
            ConfigError: With `strict`, the first problem.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            partial = Path(folder) / path.name
            with partial.open("w") as file:
                n_tasks = 0
                for task in self._tasks(address, report):
                    file.write(",\n" if n_tasks else "[\n")
                    json.dump(task, file)
                    n_tasks += 1
                file.write("\n]\n" if n_tasks else "[]\n")
            partial.replace(path)
        return self._summary(n_tasks, n_known=0)

    def _tasks(self, address: ImageAddress, report: Callable[[], None]) -> Iterator[dict[str, Any]]:
        for image in self._folder.images:
            try:
                yield self._task(image, address(image))
            except DataError as error:
                self._note(error)
            report()

    def _uploaded(self, api: LabelStudioApi, project: int, image: CocoImage) -> str:
        if not image.path.is_file():
            raise DataError(f"{image.file_name}: no such file in images/")
        return api.upload_file(project, image.path)

    def _task(self, image: CocoImage, address: str) -> dict[str, Any]:
        result = []
        self._n_crowds += len(image.annotations) - len(image.objects)
        for rows in brush_prediction(image, self._control):
            if isinstance(rows, DataError):
                self._note(rows)
            else:
                result += rows
                self._n_masks += 1
        version = {"model_version": _VERSION} if self._form == "predictions" else {}
        data = {self._image_key: address, FILE_KEY: image.file_name}
        return {"data": data, self._form: [{"result": result, **version}]}

    def _note(self, problem: DataError) -> None:
        if self._strict:
            raise ConfigError(str(problem))
        self._problems.append(str(problem))

    def _summary(self, n_tasks: int, *, n_known: int) -> ImportSummary:
        return ImportSummary(
            tasks=n_tasks,
            masks=self._n_masks,
            known=n_known,
            crowds=self._n_crowds,
            problems=self._problems,
        )


def prefixed(prefix: str) -> ImageAddress:
    """Return an address for each image: a prefix and the file's name."""
    return lambda image: prefix + image.file_name


def original(image: CocoImage) -> str:
    """Return the address that the image had in the Label Studio that it was exported from.

    Raises:
        DataError: The folder does not tell.
    """
    source = image.entry.get("label_studio")
    address = source.get("image") if isinstance(source, dict) else None
    if not isinstance(address, str):
        raise DataError(f"{image.file_name}: the folder does not tell its address")
    return address
