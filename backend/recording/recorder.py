"""Answers and saved annotations -> the session store, beside the requests' way.

One thread writes, so that no click and no webhook waits for it. What cannot be written, or comes
faster than it can be, is counted and logged: it is for statistics, no work of anybody is lost.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from backend.answering.edit import Answered
from backend.images.address import public_address
from backend.label_studio.page import storable
from backend.label_studio.regions import regions_of
from backend.label_studio.shapes import region_runs
from backend.recording.store import AnswerRow, SessionStore
from backend.storage.packed_runs import pack
from mfp_model.errors import DataError, MfpError

_log = logging.getLogger(__name__)
_MAX_WAITING = 256
_PX_DIGITS = 2
_ACTIONS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED")


class Recorder:
    """Writes what happens; without a store it writes nothing."""

    def __init__(
        self,
        open_store: Callable[[], SessionStore] | None,
        *,
        on_failure: Callable[[Exception], None],
    ) -> None:
        """Make a recorder.

        Args:
            open_store: Opens the store; None where nothing is to be recorded.
            on_failure: Told of what could not be written.
        """
        self._open = open_store
        self._on_failure = on_failure
        self._store: SessionStore | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="record")
        self._places = threading.BoundedSemaphore(_MAX_WAITING)

    def answer(self, answered: Answered) -> None:
        """Record an answer to clicks alone; boxes and strokes cannot be replayed."""
        if answered.region.prompts != answered.region.clicks:
            return
        at = time.time()
        self._later(lambda store: _write_answer(store, answered, at))

    def webhook(self, body: Mapping[str, Any]) -> None:
        """Record what a webhook tells of annotations."""
        if body.get("action") in _ACTIONS:
            self._later(lambda store: _write_saves(store, body))

    def wait(self) -> None:
        """Return when all is written that was told so far."""
        self._writer.submit(lambda: None).result()

    def _later(self, write: Callable[[SessionStore], None]) -> None:
        if self._open is None:
            return
        if not self._places.acquire(blocking=False):
            self._on_failure(DataError(f"more than {_MAX_WAITING} rows wait to be recorded"))
            return
        self._writer.submit(self._write, write)

    def _write(self, write: Callable[[SessionStore], None]) -> None:
        try:
            if self._store is None:
                assert self._open is not None
                self._store = self._open()
            write(self._store)
        except (MfpError, OSError) as error:
            self._on_failure(error)
        except Exception as error:
            _log.exception("recording")
            self._on_failure(error)
        finally:
            self._places.release()


def _write_answer(store: SessionStore, answered: Answered, at: float) -> None:
    task, region = answered.task, answered.region
    label = next(iter(answered.edit.labels_of(region)), None)
    prior = answered.edit.prior
    row = AnswerRow(
        at=at,
        project=storable(task.project),
        task=storable(task.task_id),
        image=public_address(task.image),
        width=region.width,
        height=region.height,
        label=None if label is None else storable(label),
        version=answered.result["model_version"],
        points=sorted(region.point_ids),
        clicks=[
            (round(click.x, _PX_DIGITS), round(click.y, _PX_DIGITS), int(click.is_positive))
            for click in region.clicks
        ],
        regions=sorted({storable(row["id"]) for row in answered.result["result"]}),
        prior=None if prior is None else pack(prior),
        answer=pack(answered.runs),
    )
    store.add_answer(row)


def _write_saves(store: SessionStore, body: Mapping[str, Any]) -> None:
    action = str(body["action"])
    project = _id(body.get("project"))
    if action == "ANNOTATIONS_DELETED":
        annotations = body.get("annotations")
        for annotation in annotations if isinstance(annotations, list) else []:
            store.add_save(project, "", _id(annotation), action, [])
        return
    task, annotation = _id(body.get("task")), body.get("annotation")
    if not isinstance(annotation, dict):
        return
    answered = store.answered(project, task)
    finals = []
    for region in regions_of(annotation.get("result"), Counter()):
        if isinstance(region, DataError) or storable(region.id) not in answered:
            continue
        try:
            mask = pack(region_runs(region))
        except MfpError as error:
            _log.warning("region %.40s is not recorded: %s", region.id, error)
            continue
        label = storable(region.labels[0]) if region.labels else None
        finals.append((storable(region.id), label, mask))
    if answered:
        store.add_save(project, task, _id(annotation), action, finals)


def _id(entry: object) -> str:
    return storable(entry.get("id")) if isinstance(entry, dict) else ""
