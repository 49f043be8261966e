"""Recorded rows -> objects: what was clicked on, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from backend.recording.store import AnswerRow, FinalRow, SessionStore
from backend.storage.packed_runs import pack, unpack
from mfp_model.errors import DataError
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Click


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
        return self.runs.iou(other.runs)


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
        return (
            [] if self.final is None else [answer.mask.iou(self.final) for answer in self.answers]
        )


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
    store = SessionStore(path, max_bytes=float("inf"))
    reader = _Reader()
    for answer in store.answers(project):
        reader.add(answer)
    for final in store.finals(project):
        reader.finish(final)
    return reader.objects


class _Reader:
    def __init__(self) -> None:
        self.objects: list[RecordedObject] = []
        self._by_point: dict[tuple[str, ...], RecordedObject] = {}
        self._by_region: dict[tuple[str, ...], RecordedObject] = {}

    def add(self, row: AnswerRow) -> None:
        """Add an answer to the object that has one of its points, or to a new one."""
        mask = _mask(row.answer, height=row.height, width=row.width)
        if mask is None:
            return
        points = [(row.project, row.task, point) for point in row.points]
        clicked = next((self._by_point[key] for key in points if key in self._by_point), None)
        if clicked is None:
            clicked = self._begun(row)
        made = tuple(Click(x=x, y=y, is_positive=bool(sign)) for x, y, sign in row.clicks)
        clicked.answers.append(Answer(at=row.at, clicks=made, mask=mask))
        clicked.regions |= set(row.regions)
        self._by_point |= dict.fromkeys(points, clicked)
        regions = [(row.project, row.task, region) for region in row.regions]
        self._by_region |= dict.fromkeys(regions, clicked)

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
        for region in row.regions:
            before = self._by_region.get((row.project, row.task, region))
            if before is not None:
                before.final = begun.prior
        return begun

    def finish(self, row: FinalRow) -> None:
        """Tell an object what was saved of it; of several polygons each is a part."""
        saved = self._by_region.get((row.project, row.task, row.region))
        if saved is None:
            return
        shown = saved.answers[0].mask
        mask = _mask(row.mask, height=shown.height, width=shown.width)
        if mask is None:
            return
        if saved.final is not None:
            mask = replace(mask, packed=pack(saved.final.runs.union(mask.runs)))
        saved.final = mask
        saved.label = row.label


def _mask(packed: bytes | None, *, height: int, width: int) -> RecordedMask | None:
    return None if packed is None else RecordedMask(packed=packed, height=height, width=width)
