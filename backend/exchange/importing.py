"""A COCO folder -> tasks of Label Studio, with its masks as predictions or annotations."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from backend.exchange.image_addresses import ImageAddress
from backend.exchange.task_making import DIGEST_KEY, FORMS, ImportSummary, TaskMaker, in_tasks
from backend.label_studio.access import LabelStudioRefusedError
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.label_config import TaskConfigs
from backend.storage.locks import by_turns
from mfp_model.data.coco_data import CocoData, CocoImage
from mfp_model.errors import ConfigError, DataError, ImageError, MfpError, check_choice
from mfp_model.files import writing_atomically

_log = logging.getLogger(__name__)
_MOST_TASKS = 10  # of a call, which costs Label Studio hardly more than one of a single task
_MOST_NUMBERS = 1_000_000  # of a call's masks; Label Studio stores them in half a second


class CocoImport:
    """Makes tasks of a folder's images."""

    def __init__(
        self, folder: CocoData, configs: TaskConfigs, *, form: str, strict: bool = False
    ) -> None:
        """Prepare an import.

        Args:
            folder: What to import.
            configs: The project's label configuration.
            form: `predictions` or `annotations`.
            strict: Stop at the first problem.

        Raises:
            DataError: The configuration has no place for a mask.
        """
        check_choice("form", form, FORMS)
        self._tasks = in_tasks(folder.images, configs.common)
        self._file = folder.path
        self._form = form
        self._strict = strict
        self._problems: list[str] = []
        self._maker = TaskMaker(
            configs, folder.categories.values(), form=form, on_problem=self._note
        )

    def into_project(
        self,
        api: LabelStudioApi,
        project: int,
        address: ImageAddress | None = None,
        *,
        report: Callable[[], object] = lambda: None,
    ) -> ImportSummary:
        """Make tasks in a project, some at a time; run again after a cut, it goes on.

        Label Studio makes all tasks of a call or none. What the project has from an earlier import
        is known by a digest of name, image and masks. So another folder with the same names is
        imported, too. An import of the same folder that another process of this machine is at is
        waited for.

        Args:
            api: Label Studio.
            project: The project's id.
            address: Gives each image's address; None to upload the files.
            report: Called after each image.

        Raises:
            LabelStudioError: It cannot be reached, or does not accept the token.
            ConfigError: With `strict`, the first problem.
        """
        with by_turns(self._file, on_waiting=self._tell_waiting):
            return self._into_project(api, project, address, report)

    def _into_project(
        self,
        api: LabelStudioApi,
        project: int,
        address: ImageAddress | None,
        report: Callable[[], object],
    ) -> ImportSummary:
        imported = api.data_values(project, DIGEST_KEY)
        place = address or (lambda image: _uploaded(api, project, image))
        sending = _Sending(api, project, form=self._form, note=self._note)
        n_known = 0
        for images in self._tasks:
            digest = _digest(images)
            if digest in imported:
                n_known += len(images)
            else:
                try:
                    sending.add(images, self._maker.task(images, place, digest))
                except (DataError, ImageError, LabelStudioRefusedError, OSError) as error:
                    self._note(_named(images, error))
            for _ in images:
                report()
        sending.send()
        return self._maker.summary(sending.n_made, n_known=n_known, problems=self._problems)

    def into_file(
        self, path: Path, address: ImageAddress, *, report: Callable[[], object] = lambda: None
    ) -> ImportSummary:
        """Write the tasks as JSON that Label Studio imports, whole or not at all.

        Args:
            path: The file.
            address: Gives each image's address.
            report: Called after each image.

        Raises:
            ConfigError: With `strict`, the first problem.
        """
        n_tasks = 0
        with writing_atomically(path) as file:
            for text in self._texts(address, report):
                file.write((",\n" if n_tasks else "[\n") + text)
                n_tasks += 1
            file.write("\n]\n" if n_tasks else "[]\n")
        return self._maker.summary(n_tasks, n_known=0, problems=self._problems)

    def _texts(self, address: ImageAddress, report: Callable[[], object]) -> Iterator[str]:
        for images in self._tasks:
            try:
                yield json.dumps(self._maker.task(images, address, _digest(images)))
            except (DataError, ImageError, OSError) as error:
                self._note(_named(images, error))
            for _ in images:
                report()

    def _tell_waiting(self) -> None:
        _log.warning("%s: another process imports it; waiting for that", self._file)

    def _note(self, problem: str) -> None:
        if self._strict:
            raise ConfigError(problem)
        self._problems.append(problem)


class _Sending:
    """Collects the tasks of a call, and makes them."""

    def __init__(
        self, api: LabelStudioApi, project: int, *, form: str, note: Callable[[str], None]
    ) -> None:
        self._api = api
        self._project = project
        self._form = form
        self._note = note
        self._waiting: list[tuple[list[CocoImage], dict[str, Any]]] = []
        self._n_numbers = 0
        self.n_made = 0

    def add(self, images: list[CocoImage], task: dict[str, Any]) -> None:
        n_numbers = sum(len(row["value"].get("rle", ())) for row in task[self._form][0]["result"])
        if self._n_numbers + n_numbers > _MOST_NUMBERS or len(self._waiting) == _MOST_TASKS:
            self.send()
        self._waiting.append((images, task))
        self._n_numbers += n_numbers

    def send(self) -> None:
        """Make what waits; where Label Studio refuses a task, the others without it."""
        waiting, self._waiting, self._n_numbers = self._waiting, [], 0
        try:
            self._make(waiting)
        except (DataError, LabelStudioRefusedError):
            for each in waiting:
                try:
                    self._make([each])
                except (DataError, LabelStudioRefusedError) as error:
                    self._note(_named(each[0], error))

    def _make(self, waiting: list[tuple[list[CocoImage], dict[str, Any]]]) -> None:
        if waiting:
            self._api.import_tasks(self._project, [task for _, task in waiting])
            self.n_made += len(waiting)


def _uploaded(api: LabelStudioApi, project: int, image: CocoImage) -> str:
    if not image.path.is_file():
        raise DataError(f"{image.file_name}: no such file in images/")
    return api.upload_file(project, image.path)


def _named(images: list[CocoImage], error: Exception) -> str:
    name, text = images[0].file_name, str(error)
    is_ours = isinstance(error, MfpError) and text.startswith(tuple(x.file_name for x in images))
    return text if is_ours else f"{name}: {text}"


def _digest(images: list[CocoImage]) -> str:
    """Tells images, by name and content, and their masks from any others, whatever their ids."""
    digest = hashlib.sha256()
    for image in images:
        content = image.path.read_bytes() if image.path.is_file() else b""
        size = [image.file_name, image.height, image.width, hashlib.sha256(content).hexdigest()]
        masks = [
            [mask.category, mask.segmentation, mask.is_crowd, mask.entry.get("score")]
            for mask in image.annotations
        ]
        digest.update(json.dumps([size, masks], sort_keys=True).encode())
    return digest.hexdigest()[:32]
