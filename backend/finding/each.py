"""Work on the items of a batch: one after another, or wherever else a command wants it done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

Each = Callable[[Iterable[Item]], Iterator[tuple[Item, Answer]]]
"""Items -> each with what came of it, in their order; few are read ahead."""


def here(answer: Callable[[Item], Answer]) -> Each[Item, Answer]:
    """Return what works on one item after another in this process."""

    def each(items: Iterable[Item]) -> Iterator[tuple[Item, Answer]]:
        for item in items:
            yield item, answer(item)

    return each
