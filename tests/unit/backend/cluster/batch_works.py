"""Batches for a real Ray: what items do to their workers, and workers that compute otherwise."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from backend.cluster.batch import BatchWork
from mfp_model.errors import CheckpointError, DataError
from mfp_model.prompts import Click
from tests.fakes import DiskSegmenter

_IMAGE = np.zeros((40, 60, 3), np.uint8)


def load_disks(folder: Path) -> BatchWork[int, tuple[int, int]]:
    """Count a disk's pixels; some items end their worker, once or always, or are faulty."""
    segmenter = DiskSegmenter()

    def answer(item: int) -> tuple[int, int]:
        if item == 3 and not (folder / "was killed").exists():
            (folder / "was killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if item == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        if item == 7:
            raise ZeroDivisionError("a fault")
        mask = segmenter.segment(_IMAGE, [Click(x=item, y=20)]).mask
        return item, int(mask.sum())

    return BatchWork(answer=answer, version="disks-1", segmenter=segmenter)


def load_unlike(folder: Path) -> BatchWork[int, int]:
    """Compute as the first worker does not, but for that."""
    try:
        (folder / "first").touch(exist_ok=False)
        radius = 20
    except FileExistsError:
        radius = 21
    segmenter = DiskSegmenter(radius=radius)
    return BatchWork(answer=lambda item: radius, version="disks-1", segmenter=segmenter)


def load_nothing() -> BatchWork[int, int]:
    """Find no weights."""
    raise CheckpointError("no such file")


def load_strict() -> BatchWork[int, int]:
    """Refuse an item."""

    def answer(item: int) -> int:
        if item == 2:
            raise DataError("item 2: cannot be used")
        return item

    return BatchWork(answer=answer, version="strict-1", segmenter=DiskSegmenter())


def load_sleepy(folder: Path) -> BatchWork[int, int]:
    """Never answer an item, the first time."""

    def answer(item: int) -> int:
        if item == 2 and not (folder / "slept").exists():
            (folder / "slept").touch()
            time.sleep(600)
        return item

    return BatchWork(answer=answer, version="sleepy-1", segmenter=DiskSegmenter())


def figures(folder: Path) -> dict[str, object]:
    """What came of the batches on the Ray that is connected."""
    items = list(range(12))
    disks = _spread(partial(load_disks, folder), items, n_workers=2)
    unlike = _spread(partial(load_unlike, folder), items, n_workers=2)
    return {
        "items": [item for item, _ in disks],
        "answers": [answer for _, answer in disks],
        "unlike": [answer for _, answer in unlike],
        "nothing": _error(load_nothing),
        "strict": _error(load_strict),
        "sleepy": _spread(partial(load_sleepy, folder), [1, 2, 3], n_workers=1, limit_s=4.0),
    }


def _spread(  # noqa: ANN202
    load: Callable[[], BatchWork], items: list[int], *, n_workers: int, limit_s: float = 600.0
):
    from backend.cluster.spreading import Spread

    spread = Spread(
        load, _give_up, n_workers=n_workers, n_threads=1, has_gpus=False, limit_s=limit_s
    )
    try:
        return list(spread(items))
    finally:
        spread.end()


def _give_up(item: int, why: str) -> str:
    return why


def _error(load: Callable[[], BatchWork]) -> str:
    try:
        _spread(load, [1, 2, 3], n_workers=1)
    except (CheckpointError, DataError) as error:
        return f"{type(error).__name__}: {error}"
    return ""
