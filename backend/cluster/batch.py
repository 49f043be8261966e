"""What works on the items of a batch: here, or as an actor of Ray."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from backend.cluster.handshake import Likeness, likeness_of
from backend.cluster.messages import packed_answer
from mfp_model.segmenter import Segmenter

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchWork(Generic[Item, Answer]):
    """A batch's work, with the networks that it needs.

    Attributes:
        answer: Works on an item.
        version: The model version of what it makes.
        segmenter: What computes, and proves how; None for what works in one process only.
    """

    answer: Callable[[Item], Answer]
    version: str
    segmenter: Segmenter | None


def loaded_with(
    n_threads: int, load: Callable[[], BatchWork[Item, Answer]]
) -> BatchWork[Item, Answer]:
    """Return a batch's work, which computes with so many threads."""
    import cv2
    import torch

    torch.set_num_threads(n_threads)  # first: engines take as many
    cv2.setNumThreads(n_threads)
    return load()


class BatchWorker:
    """Runs as an actor of Ray; items and answers are bytes, errors are answers."""

    def __init__(self) -> None:
        self._work: BatchWork[object, object] | None = None

    def begin(self, load: bytes, n_threads: int) -> bytes:
        """Load the networks; return the version, and how this computes."""
        return packed_answer(lambda: self._begun(load, n_threads))

    def answer(self, item: bytes) -> bytes:
        """Work on an item."""
        assert self._work is not None, "it has begun"
        work = self._work
        return packed_answer(lambda: work.answer(pickle.loads(item)))

    def _begun(self, load: bytes, n_threads: int) -> tuple[str, Likeness]:
        self._work = work = pickle.loads(load)()
        assert work.segmenter is not None, "the command has seen to that"
        return work.version, likeness_of(work.segmenter, n_threads)
