"""Recorded rows -> objects: what was clicked on, and what became of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from backend.recording.store import ANSWER_COLUMNS, SessionStore
from backend.storage.packed_runs import pack, unpack
from mfp_model.errors import DataError
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Click

_ANSWERS = f"SELECT {ANSWER_COLUMNS} FROM answers WHERE ? IN ('', project) ORDER BY id"
_FINALS = """
SELECT saves.project, saves.task, finals.region, finals.label, finals.mask
FROM finals JOIN saves ON saves.id = finals.save
WHERE ? IN ('', saves.project) AND saves.id IN (SELECT MAX(id) FROM saves GROUP BY annotation)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMask:
    """A mask of `height` rows and `width` columns, packed."""

    packed: bytes
    height: int
    width: int

    @property
    def runs(self) -> MaskRuns:
        """The mask.

        Raises:
            DataError: It is damaged.
        """
        return unpack(self.packed, height=self.height, width=self.width)

    def iou(self, other: RecordedMask) -> float:
        """Return the intersection over union with a mask of the same size; 1 for two empty ones."""
        first, second = self.runs, other.runs
        union = int(first.union(second).lengths.sum())
        return int(first.intersection(second).lengths.sum()) / union if union else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer to an object's clicks.

    Attributes:
        at: Seconds since 1970.
        clicks: The clicks it answered, oldest first, image frame.
        mask: What was answered.
    """

    at: float
    clicks: tuple[Click, ...]
    mask: RecordedMask


@dataclass(slots=True, kw_only=True, eq=False)
class RecordedObject:
    """An object that somebody clicked on.

    Attributes:
        project: Label Studio's project id.
        task: Label Studio's task id.
        image: Where the image is, see `backend.images.address.public_address`.
        label: What the answer was called, None for nothing; of what was saved where it was.
        version: The model version that answered first.
        prior: The mask that it began with, None for a new object.
        answers: In order, at least one.
        regions: Label Studio's ids of what was answered.
        final: What was saved of it in the end, None where nothing was.
    """

    project: str
    task: str
    image: str
    label: str | None
    version: str
    prior: RecordedMask | None
    answers: list[Answer] = field(default_factory=list)
    regions: set[str] = field(default_factory=set)
    final: RecordedMask | None = None

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The clicks that led to the last answer."""
        return self.answers[-1].clicks

    @property
    def seconds(self) -> float:
        """From the first answer to the last."""
        return self.answers[-1].at - self.answers[0].at

    def ious(self) -> list[float]:
        """Return the IoU of each answer with what was saved, nothing where nothing was."""
        return [] if self.final is None else [one.mask.iou(self.final) for one in self.answers]


def read_objects(path: Path, *, project: str = "") -> list[RecordedObject]:
    """Return the recorded objects, those first that were begun first.

    Args:
        path: The session store.
        project: Label Studio's project id; all projects by default.

    Raises:
        DataError: There is no such file.
    """
    if not path.is_file():
        raise DataError(f"{path}: nothing was recorded yet")
    store = SessionStore(path, max_mb=float("inf"))
    reader = _Reader(store)
    for row in store.rows(_ANSWERS, project):
        reader.add(row)
    for row in store.rows(_FINALS, project):
        reader.finish(row)
    return reader.objects


class _Reader:
    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self.objects: list[RecordedObject] = []
        self._by_point: dict[tuple[str, ...], RecordedObject] = {}
        self._by_region: dict[tuple[str, ...], RecordedObject] = {}

    def add(self, row: tuple[object, ...]) -> None:
        """Add an answer to the object that has one of its points, or to a new one."""
        at, project, task, image, width, height, label, version = (str(value) for value in row[:8])
        points, clicks, regions = (json.loads(str(text)) for text in row[8:11])
        size = {"height": int(height), "width": int(width)}
        prior, mask = (self._mask(key, size) for key in row[11:13])
        if mask is None:
            return
        known = (self._by_point.get((project, task, point)) for point in points)
        one = next((found for found in known if found is not None), None)
        if one is None:
            one = RecordedObject(
                project=project,
                task=task,
                image=image,
                label=None if row[6] is None else label,
                version=version,
                prior=prior,
            )
            self.objects.append(one)
            self._edited(one, regions)
        made = tuple(Click(x=x, y=y, is_positive=bool(sign)) for x, y, sign in clicks)
        one.answers.append(Answer(at=float(at), clicks=made, mask=mask))
        one.regions |= set(regions)
        self._by_point |= {(project, task, point): one for point in points}
        self._by_region |= {(project, task, region): one for region in regions}

    def _edited(self, one: RecordedObject, regions: list[str]) -> None:
        """What a new object starts from was accepted, if an answer led to it."""
        for region in regions:
            before = self._by_region.get((one.project, one.task, region))
            if before is not None:
                before.final = one.prior

    def finish(self, row: tuple[object, ...]) -> None:
        """Tell an object what was saved of it; of several polygons each is a part."""
        project, task, region = (str(value) for value in row[:3])
        one = self._by_region.get((project, task, region))
        if one is None:
            return
        size = {"height": one.answers[0].mask.height, "width": one.answers[0].mask.width}
        mask = self._mask(row[4], size)
        if mask is None:
            return
        if one.final is not None:
            mask = replace(mask, packed=pack(one.final.runs.union(mask.runs)))
        one.final = mask
        one.label = None if row[3] is None else str(row[3])

    def _mask(self, key: object, size: dict[str, int]) -> RecordedMask | None:
        packed = None if key is None else self._store.mask(key)
        return None if packed is None else RecordedMask(packed=packed, **size)
