"""Labelled tasks one after the other: from Label Studio, or from a JSON or JSON_MIN export file."""

from __future__ import annotations

import zlib
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson

from backend.exchange.plain_json import PlainJson
from backend.label_studio.api import LabelStudioApi
from mfp_model.errors import DataError

_PAGE = 10  # tasks; a task with twenty masks of 12 megapixels has a megabyte
_GENERIC = ("labels", "brush", "polygon", "rectangle", "ellipse")  # rows that share a region
_MIN_ROW_KEYS = ("original_width", "original_height", "image_rotation", "item_index")
_MIN_KEYS = ("id", "annotation_id", "annotator", "created_at", "updated_at", "lead_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabeledTask:
    """A task with all that people and models have said about it, as Label Studio's JSON has it.

    Attributes:
        id: Label Studio's task id.
        data: What the task shows; image addresses by key.
        annotations: Submitted and cancelled annotations.
        drafts: Work that was not submitted.
        predictions: Answers of models.
        tells_ground_truth: Whether an annotation that is marked as ground truth can be told.
    """

    id: int
    data: Mapping[str, Any]
    annotations: list[Mapping[str, Any]]
    drafts: list[Mapping[str, Any]]
    predictions: list[Mapping[str, Any]]
    tells_ground_truth: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSource:
    """Where labelled tasks come from.

    Attributes:
        name: Tells sources apart, so that an export that was cut is not continued with another.
        total: What `read` reports its progress against: tasks of a project, bytes of a file.
        unit: Of `total`.
        read: Yields the tasks, ids ascending where the source can be asked for that; its argument
            is told how much was read so far.
    """

    name: str
    total: int
    unit: str
    read: Callable[[Callable[[int], None]], Iterator[LabeledTask | DataError]]


def project_tasks(api: LabelStudioApi, project: int) -> TaskSource:
    """Return the tasks of a project in a running Label Studio, asked for page by page.

    Raises:
        LabelStudioError: It cannot be reached, or has no such project.
    """

    def read(report: Callable[[int], None]) -> Iterator[LabeledTask | DataError]:
        after, n_read = -1, 0
        while rows := api.tasks_after(project, after, limit=_PAGE):
            for row in rows:
                after = int(row["id"])
                yield labeled_task(row)
            n_read += len(rows)
            report(min(n_read, n_all))  # more may have come meanwhile

    n_all = api.n_tasks(project)
    return TaskSource(
        name=f"{api.access.url} project {project}", total=n_all, unit="task", read=read
    )


def file_tasks(path: Path) -> TaskSource:
    """Return the tasks of an export file, JSON or JSON_MIN, read piece by piece.

    Raises:
        DataError: There is no such file.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")

    def read(report: Callable[[int], None]) -> Iterator[LabeledTask | DataError]:
        n_read = 0
        rows: list[Any] = []  # of one task
        failure = ""
        with path.open("rb") as file:
            if file.read(len(BOM_UTF8)) != BOM_UTF8:
                file.seek(0)
            try:
                for element in ijson.items(PlainJson(file), "item", use_float=True):
                    if rows and (_is_task(element) or _key(element) != _key(rows[0])):
                        yield _element(rows, n_read)
                        rows = []
                    rows.append(element)
                    n_read += 1
                    report(file.tell())
            except (ijson.JSONError, UnicodeDecodeError) as error:
                reason = str(error).splitlines()[0].strip()
                failure = f"{path.name} is broken after element {n_read}: {reason}"
        if rows:
            yield _element(rows, n_read)
        if n_read == 0 and not failure:
            failure = f"{path.name}: expected a list of tasks, found none"
        if failure:
            yield DataError(failure)

    state = path.stat()
    name = f"{path.resolve()} {state.st_size} {state.st_mtime_ns}"
    return TaskSource(name=name, total=state.st_size, unit="B", read=read)


def _key(element: object) -> object:
    """JSON_MIN has an element an annotation; those of a task stand together."""
    return element.get("id") if isinstance(element, dict) else None


def _is_task(element: object) -> bool:
    """Whether it is a task of JSON, which has all annotations of one."""
    return isinstance(element, dict) and {"data", "annotations"} <= element.keys()


def _element(rows: list[Any], n_read: int) -> LabeledTask | DataError:
    key = _key(rows[0])
    if isinstance(key, bool) or not isinstance(key, int) or key < 0:
        return DataError(f"element {n_read}: expected a task with an id, got {rows[0]!r:.60}")
    first = rows[0]
    if _is_task(first) or isinstance(first.get("data"), dict):
        task = labeled_task(first)
        if task.data != first["data"] or task.annotations != (first.get("annotations") or []):
            return DataError(f"task {key}: expected objects in data and annotations")
        return task
    data = {name: value for name, value in first.items() if name not in _MIN_KEYS}
    annotated = [row for row in rows if row.get("annotation_id") is not None]
    return LabeledTask(
        id=key,
        data=data,
        annotations=[_from_min(row) for row in annotated],
        drafts=[],
        predictions=[],
        tells_ground_truth=False,
    )


def labeled_task(row: Mapping[str, Any]) -> LabeledTask:
    """Return a task as Label Studio's API and its JSON have it."""

    def entries(name: str) -> list[Mapping[str, Any]]:
        listed = row.get(name)  # some exports have only ids of drafts and predictions
        return [x for x in listed if isinstance(x, dict)] if isinstance(listed, list) else []

    data = row.get("data")
    return LabeledTask(
        id=int(row["id"]),
        data=data if isinstance(data, dict) else {},
        annotations=entries("annotations"),
        drafts=entries("drafts"),
        predictions=entries("predictions"),
    )


def _from_min(row: Mapping[str, Any]) -> dict[str, Any]:
    """An annotation in JSON's form; JSON_MIN leaves out the rows' ids and types.

    A generic label's control repeats the shapes of its brush, in the same order. So the rows of
    one region are those that are the n-th of their shape in both.
    """
    result = []
    for name, values in row.items():
        n_alike: Counter[str] = Counter()
        for value in values if isinstance(values, list) else []:
            if isinstance(value, dict) and "original_width" in value:
                about = {key: value[key] for key in value if key in _MIN_ROW_KEYS}
                shape = {key: value[key] for key in value if key not in about}
                kind = _min_type(shape)
                drawn = {key: shape[key] for key in shape if not key.endswith("labels")}
                region = f"{zlib.crc32(repr([drawn, about]).encode()):08x}"
                n_alike[region] += 1
                owner = "" if kind in _GENERIC else f"-{name}"
                about["id"] = f"{region}-{n_alike[region]}{owner}"
                result.append({**about, "from_name": name, "type": kind, "value": shape})
    return {
        "id": row["annotation_id"],
        "result": result,
        "completed_by": row.get("annotator"),
        "updated_at": row.get("updated_at"),
    }


def _min_type(shape: Mapping[str, Any]) -> str:
    named = next((key for key in shape if key.endswith("labels")), "")
    if named not in ("", "labels"):
        return named
    for key, kind in (("rle", "brush"), ("points", "polygon"), ("radiusX", "ellipse")):
        if key in shape:
            return kind
    return "rectangle" if "height" in shape else "keypoint"
