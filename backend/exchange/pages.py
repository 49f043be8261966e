"""The images of a task: where its data has them, and which is which.

A configuration names an image by a path in the task's data: `image`, `meta.url`, `images[0]`. What
lies there is an address, or a list of them, whose images are the task's pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from backend.label_studio.regions import MaskRegion
from backend.label_studio.task_values import resolved
from mfp_model.errors import DataError

_STEP = re.compile(r"[^.\[\]]+")
MAX_PAGES = 10_000  # of a task
_FURTHER = 10**12  # a task's first image has its id; programs that count in doubles read 9000 more


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One image of a task.

    Attributes:
        key: Path in the task's data.
        index: In the list that lies there, None where it is one address.
        address: Label Studio's.
        number: Among all that the task can have, from 0 on: the first of each list, the second of
            each, and so on.
    """

    key: str
    index: int | None
    address: str
    number: int

    def image_id(self, task: int) -> int:
        """Return COCO's id, which no image of another task has, with tasks' ids below 10^12."""
        return self.number * _FURTHER + task

    def has(self, region: MaskRegion, key: str | None) -> bool:
        """Return whether a region lies on it, whose image is found at a path."""
        return key == self.key and (self.index is None or self.index == (region.item_index or 0))


def pages_of(data: Mapping[str, Any], keys: list[str]) -> Iterator[Page]:
    """Yield the images of a task.

    Args:
        data: The task's.
        keys: The images' paths, in the configuration's order.
    """
    for number, key in enumerate(keys):
        place = resolved(f"${key}", data)
        if isinstance(place, str) and place:
            yield Page(key=key, index=None, address=place, number=number)
        for index, address in enumerate(place[:MAX_PAGES] if isinstance(place, list) else []):
            if isinstance(address, str) and address:
                at = index * len(keys) + number
                yield Page(key=key, index=index, address=address, number=at)


def put(data: dict[str, Any], key: str, index: int | None, value: object) -> None:
    """Lay an address, or another value, where `pages_of` finds it.

    {}, "meta.urls", 1, "b.jpg" -> {"meta": {"urls": [None, "b.jpg"]}}

    Raises:
        DataError: An index in the path is too high.
    """
    first, *others = _STEP.findall(key) or [key]
    numbers = filter(str.isdecimal, others)
    if any(len(number) > 9 or int(number) >= MAX_PAGES for number in numbers):
        raise DataError(f"path {key!r:.80}: expected indices below {MAX_PAGES}")
    steps = [first, *(int(step) if step.isdecimal() else step for step in others)]
    steps += [] if index is None else [index]
    place: Any = data
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if isinstance(step, int):
            place.extend([None] * (step + 1 - len(place)))
            old = place[step]
        else:
            old = place.get(step)
        if following is None:
            place[step] = value
        elif old is None:
            place[step] = [] if isinstance(following, int) else {}
        place = place[step]
