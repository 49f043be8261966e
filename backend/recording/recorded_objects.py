"""Recorded rows -> objects: what was clicked on, and what became of it.

Where every answer is accepted at once, a correction is an edit of a mask that is there already. So
an edit of an answered mask goes on with the same object. It does not where somebody changed the
mask by hand, or the annotation was submitted since and the edit is not one of the last answer (see
`backend.answering.answered`): then an object of its own begins with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from backend.recording.store import AnswerRow, FinalRow, SessionStore
from backend.storage.database import Database
from backend.storage.packed_runs import pack, unpack
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Click

_SAME_IOU = 0.97


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

    def is_same(self, other: RecordedMask) -> bool:
        """Return whether another mask is this one, but for what drawing as polygons changes."""
        return self.iou(other) >= _SAME_IOU

    def iou(self, other: RecordedMask) -> float:
        """Return the IoU with another mask, 0 for one of another size."""
        if self == other:
            return 1.0
        has_size = (self.height, self.width) == (other.height, other.width)
        return self.runs.iou(other.runs) if has_size else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer to an object's clicks.

    Attributes:
        at: Seconds since 1970.
        clicks: All clicks on the object so far, oldest first, image frame.
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
        seconds: Spent between its answers, without the time in which other objects of the task
            were clicked on.
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
    seconds: float = 0.0
    final: RecordedMask | None = None
    _ious: list[float] | None = field(default=None, init=False)

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The clicks that led to the last answer."""
        return self.answers[-1].clicks

    def ious(self) -> list[float]:
        """Return the IoU of each answer with what was saved, nothing where nothing was.

        They are computed once, when all of the object is known.
        """
        if self._ious is None:
            self._ious = [] if self.final is None else _ious(self.answers, self.final)
        return self._ious


def _ious(answers: Sequence[Answer], final: RecordedMask) -> list[float]:
    saved = final.runs
    return [1.0 if x.mask == final else x.mask.runs.iou(saved) for x in answers]


def read_objects(database: Database, *, project: str = "") -> list[RecordedObject]:
    """Return the recorded objects, those first that were begun first.

    Args:
        database: Where clicks were recorded.
        project: Label Studio's project id; all projects by default.

    Raises:
        StorageError: It cannot be read.
    """
    store = SessionStore(database, max_bytes=float("inf"))
    reader = _Reader(store.submissions(project))
    for answer in store.answers(project):
        reader.add(answer)
    for final in store.finals(project):
        reader.finish(final)
    return reader.objects


_Key = tuple[str, ...]  # a project, a task, and the id of a point or a region in it


class _Reader:
    def __init__(self, submissions: Mapping[_Key, Sequence[float]]) -> None:
        """Begin.

        Args:
            submissions: When annotations with a region were submitted, ascending.
        """
        self.objects: list[RecordedObject] = []
        self._submissions = submissions
        self._by_point: dict[_Key, RecordedObject] = {}
        # Of two people who edit the same prediction each has an object of its region.
        self._by_region: dict[_Key, list[RecordedObject]] = {}  # the newest last
        self._annotations: dict[int, str] = {}  # in which an object was saved
        self._newest: dict[_Key, RecordedObject] = {}  # of each task
        self._before: dict[int, tuple[Click, ...]] = {}  # clicks of an object's earlier edits

    def add(self, row: AnswerRow) -> None:
        """Add an answer to the object that has one of its points or its mask, or to a new one."""
        mask = _mask(row.answer, height=row.height, width=row.width)
        if mask is None:
            return
        points = [(row.project, row.task, point) for point in row.points]
        clicked = next((self._by_point[key] for key in points if key in self._by_point), None)
        if clicked is None:
            clicked = self._edited(row) or self._begun(row)
        made = tuple(Click(x=x, y=y, is_positive=bool(sign)) for x, y, sign in row.clicks)
        task = (row.project, row.task)
        if clicked.answers and self._newest.get(task) is clicked:
            clicked.seconds += row.at - clicked.answers[-1].at
        self._newest[task] = clicked
        clicks = (*self._before.get(id(clicked), ()), *made)
        clicked.answers.append(Answer(at=row.at, clicks=clicks, mask=mask))
        clicked.regions |= set(row.regions)
        self._by_point |= dict.fromkeys(points, clicked)
        for region in row.regions:
            others = self._of_region(row, region)
            self._by_region[row.project, row.task, region] = [
                *(x for x in others if x is not clicked),
                clicked,
            ]

    def _of_region(self, row: AnswerRow | FinalRow, region: str) -> list[RecordedObject]:
        return self._by_region.get((row.project, row.task, region), [])

    def _edited(self, row: AnswerRow) -> RecordedObject | None:
        """The object whose mask is edited, where it was not submitted since its last answer."""
        prior = _mask(row.prior, height=row.height, width=row.width)
        if prior is None:
            return None
        of_regions = [(x, region) for region in row.regions for x in self._of_region(row, region)]
        for clicked, region in reversed(of_regions):
            key, last = (row.project, row.task, region), clicked.answers[-1].at
            if any(last <= at <= row.at for at in self._submissions.get(key, ())):
                continue
            # Of answers that were taken back again the clicks do not count.
            for answer in reversed(clicked.answers):
                if answer.mask.is_same(prior):
                    self._before[id(clicked)] = answer.clicks
                    return clicked
        return None

    def _begun(self, row: AnswerRow) -> RecordedObject:
        """A new object; what it starts from was accepted, if an answer led to it."""
        begun = RecordedObject(
            project=row.project,
            task=row.task,
            image=row.image,
            label=row.label,
            version=row.version,
            prior=_mask(row.prior, height=row.height, width=row.width),
        )
        self.objects.append(begun)
        if begun.prior is not None:
            for region in row.regions:
                # Not of somebody who began with the same mask.
                others = [x for x in self._of_region(row, region) if x.prior != begun.prior]
                if others:
                    _likest(others, begun.prior).final = begun.prior
        return begun

    def finish(self, row: FinalRow) -> None:
        """Tell an object what was saved of it; of several polygons each is a part."""
        objects = self._of_region(row, row.region)
        if len(objects) > 1:
            objects = [x for x in objects if x.final is None or id(x) in self._annotations]
        objects = [
            x for x in objects if self._annotations.get(id(x), row.annotation) == row.annotation
        ]
        if not objects:
            return
        shown = objects[0].answers[0].mask
        mask = _mask(row.mask, height=shown.height, width=shown.width)
        if mask is None:
            return
        saved = _likest(objects, mask)
        self._annotations[id(saved)] = row.annotation
        if saved.final is not None:
            mask = replace(mask, packed=pack(saved.final.runs.union(mask.runs)))
        saved.final = mask
        saved.label = row.label


def _likest(objects: Sequence[RecordedObject], mask: RecordedMask) -> RecordedObject:
    """That whose last answer is most like a mask; of equal ones the newest."""
    if len(objects) == 1:
        return objects[0]
    return max(reversed(objects), key=lambda clicked: clicked.answers[-1].mask.iou(mask))


def _mask(packed: bytes | None, *, height: int, width: int) -> RecordedMask | None:
    return None if packed is None else RecordedMask(packed=packed, height=height, width=width)
