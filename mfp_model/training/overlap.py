"""Images that are learned from and held out at once, which makes a validation too good."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from mfp_model.files import digest_of
from mfp_model.training import ranks
from mfp_model.training.datasets import TrainingImage
from mfp_model.training.samples import SampleSource

_log = logging.getLogger(__name__)

_Sets = Iterable[Sequence[TrainingImage]]


def learned_apart(
    learned: SampleSource, held_out: SampleSource, *, leaves_out: bool
) -> SampleSource:
    """Return what is learned from; the first process logs how many of its images are held out.

    Args:
        learned: What is to be learned from.
        held_out: What it is judged by.
        leaves_out: Leave those images out of what is learned from.
    """
    shared = shared_images(learned.folders, held_out.folders)
    if not shared:
        return learned
    words = "left out of what is learned from" if leaves_out else "so validation is too good"
    example = min(path.name for path in shared)
    if ranks.rank() == 0:
        _log.warning(
            "%d images to learn from are held out, too, such as %s: %s", len(shared), example, words
        )
    return learned.without(shared) if leaves_out else learned


def shared_images(learned: _Sets, held_out: _Sets) -> set[Path]:
    """Return the images to learn from whose content is held out, under whatever name.

    Only files that are equally large are read.

    Args:
        learned: Data sets.
        held_out: Data sets.
    """
    by_size: dict[int, list[Path]] = {}
    for path in _files(held_out):
        by_size.setdefault(path.stat().st_size, []).append(path)
    digests: dict[int, set[str]] = {}
    shared = set()
    for path in _files(learned):
        size = path.stat().st_size
        if size in by_size:
            if size not in digests:
                digests[size] = {digest_of(other) for other in by_size[size]}
            if digest_of(path) in digests[size]:
                shared.add(path)
    return shared


def _files(data_sets: _Sets) -> set[Path]:
    return {image.path for images in data_sets for image in images}
