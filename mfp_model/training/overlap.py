"""Images that are learned from and held out at once, which makes a validation too good."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from mfp_model.training.datasets import TrainingImage

_log = logging.getLogger(__name__)

_Sets = Iterable[Sequence[TrainingImage]]


def warn_of_shared(learned: _Sets, held_out: _Sets) -> None:
    """Log how many held-out images are learned from, too, if any; see `shared_images`."""
    shared, n_held_out = shared_images(learned, held_out), len(_files(held_out))
    if shared:
        _log.warning(
            "%d of %d held-out images are learned from, too, such as %s: validation is too good",
            len(shared),
            n_held_out,
            shared[0].name,
        )


def shared_images(learned: _Sets, held_out: _Sets) -> list[Path]:
    """Return the held-out images whose content is learned from, under whatever name, sorted.

    Only files that are equally large are read.

    Args:
        learned: Data sets.
        held_out: Data sets.
    """
    by_size: dict[int, list[Path]] = {}
    for path in _files(held_out):
        by_size.setdefault(path.stat().st_size, []).append(path)
    digests: dict[int, set[str]] = {}
    for path in _files(learned):
        size = path.stat().st_size
        if size in by_size:
            digests.setdefault(size, set()).add(_digest(path))
    return sorted(
        path for size, seen in digests.items() for path in by_size[size] if _digest(path) in seen
    )


def _files(data_sets: _Sets) -> set[Path]:
    return {image.path for images in data_sets for image in images}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
