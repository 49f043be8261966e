"""An object that the page was answered, and its row in the database."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backend.label_studio.page import storable
from backend.label_studio.region_request import PlacedPrompt
from backend.storage.database import AnyRow
from backend.storage.packed_runs import pack
from mfp_model.errors import MfpError
from mfp_model.masks.runs import MaskRuns
from mfp_model.prompts import Box, Click

_log = logging.getLogger(__name__)
FIELDS = (
    *("annotation", "regions", "labels", "placed", "alike_to", "stamp", "is_new", "is_left"),
    *("prior", "answer", "shown", "at"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnsweredObject:
    """An object and its last answer.

    Attributes:
        regions: Ids of the page's regions that it is made of, in order.
        labels: Its labels.
        placed: The prompts that it answers, oldest first.
        alike_to: Ids of the example's prompts, where it was found by all like this.
        annotation: The annotation that it was answered in, see `backend.answering.on_page`.
        stamp: What was saved of the annotation then.
        is_new: It was not begun by a mask that was there.
        prior: The mask that its prompts edit; None where they began it.
        answer: The mask that the page has if the answer is accepted.
        shown: The pixels of the regions that were sent, which polygons round; none where the answer
            had none, and the page kept what it had.
        at: Seconds since 1970.
        is_left: Somebody has opened the task since then.
    """

    regions: tuple[str, ...]
    labels: tuple[str, ...]
    placed: tuple[PlacedPrompt, ...]
    alike_to: frozenset[str] = frozenset()
    annotation: str
    stamp: str
    is_new: bool
    prior: MaskRuns | None
    answer: MaskRuns
    shown: MaskRuns
    at: float
    is_left: bool = False

    @property
    def point_ids(self) -> frozenset[str]:
        """Ids of all prompts."""
        return frozenset(placed.id for placed in self.placed)

    @property
    def asked_ids(self) -> frozenset[str]:
        """Ids of all prompts of the requests that it answers."""
        return self.point_ids | self.alike_to

    @property
    def open_ids(self) -> frozenset[str]:
        """Ids of the prompts that the page sends along as long as it is not accepted."""
        return frozenset(placed.id for placed in self.placed if placed.is_open)


def row_of(answered: AnsweredObject) -> dict[str, object]:
    """Return an object's row, without task, place and number."""
    return {
        "annotation": storable(answered.annotation),
        "object": answered.regions[0],
        "regions": json.dumps(answered.regions),
        "labels": json.dumps(answered.labels),
        "placed": json.dumps([_packed(placed) for placed in answered.placed]),
        "alike_to": json.dumps(sorted(answered.alike_to)),
        "stamp": storable(answered.stamp),
        "is_new": int(answered.is_new),
        "is_left": int(answered.is_left),
        "prior": None if answered.prior is None else pack(answered.prior),
        "answer": pack(answered.answer),
        "shown": pack(answered.shown),
        "at": answered.at,
    }


def _packed(placed: PlacedPrompt) -> list[Any]:
    prompt = placed.prompt
    if isinstance(prompt, Box):
        where: list[float] = [prompt.left, prompt.top, prompt.right, prompt.bottom]
    else:
        where = [prompt.x, prompt.y, float(prompt.is_positive)]
    return [placed.id, placed.control, where, placed.is_beside_selected, placed.is_open]


def _unpacked(entry: list[Any]) -> PlacedPrompt:
    name, control, where, is_beside_selected, is_open = entry
    if len(where) == 4:
        left, top, right, bottom = where
        prompt: Click | Box = Box(left=left, top=top, right=right, bottom=bottom)
    else:
        x, y, sign = where
        prompt = Click(x=x, y=y, is_positive=bool(sign))
    return PlacedPrompt(
        id=name,
        control=control,
        prompt=prompt,
        is_beside_selected=is_beside_selected,
        is_open=is_open,
    )


def object_of(row: AnyRow, unpack: Callable[[bytes], MaskRuns]) -> AnsweredObject | None:
    """Return what a row of `FIELDS` says; None for a damaged one, as if it was never answered."""
    annotation, regions, labels, placed, alike_to, stamp, is_new, is_left, *masks, at = row
    prior, answer, shown = masks
    try:
        return AnsweredObject(
            regions=tuple(json.loads(regions)),
            labels=tuple(json.loads(labels)),
            placed=tuple(_unpacked(entry) for entry in json.loads(placed)),
            alike_to=frozenset(json.loads(alike_to)),
            annotation=str(annotation),
            stamp=str(stamp),
            is_new=bool(is_new),
            prior=None if prior is None else unpack(prior),
            answer=unpack(answer),
            shown=unpack(shown),
            at=float(at),
            is_left=bool(is_left),
        )
    except (MfpError, ValueError, TypeError) as error:
        _log.warning("an answer is not remembered: %s", error)
        return None
