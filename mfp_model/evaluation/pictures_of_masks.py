"""Data sets whose truths are pictures of masks: one object a picture, or numbered ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from mfp_model.data.coco import OnProblem, refuse
from mfp_model.data.sbd import read_names
from mfp_model.errors import DataError
from mfp_model.evaluation.objects import EvaluationObject, object_of, or_tell
from mfp_model.evaluation.truths import read_numbered, read_truth


def read_pairs(
    root: Path,
    *,
    images: str,
    truths: str,
    takes_colours: bool = False,
    on_problem: OnProblem = refuse,
) -> Iterator[EvaluationObject]:
    """Yield one object an image: `root/images/x.jpg` with `root/truths/x.png`."""
    for image, truth_path in _paired(root / images, root / truths, on_problem):

        def pair(image: Path = image, truth_path: Path = truth_path) -> EvaluationObject:
            truth = read_truth(truth_path, takes_colours=takes_colours)
            return object_of(image.stem, image, truth.mask, valid=truth.valid)

        yield from or_tell(pair, on_problem)


def read_index(root: Path, *, on_problem: OnProblem = refuse) -> Iterator[EvaluationObject]:
    """Yield every numbered object of `masks/x.png`, with `images/x.jpg`."""
    pairs = _paired(root / "images", root / "masks", on_problem)
    yield from _numbered(((image.stem, image, truth) for image, truth in pairs), on_problem)


def read_voc_objects(root: Path, *, on_problem: OnProblem = refuse) -> Iterator[EvaluationObject]:
    """Yield every object of VOC 2012's `SegmentationObject`, split `val`."""
    names = read_names(root / "ImageSets" / "Segmentation", "val")
    yield from _numbered(
        (
            (name, root / f"JPEGImages/{name}.jpg", root / f"SegmentationObject/{name}.png")
            for name in names
        ),
        on_problem,
    )


def read_davis2017(root: Path, *, on_problem: OnProblem = refuse) -> Iterator[EvaluationObject]:
    """Yield every object of every frame of DAVIS 2017's split `val`, at 480p where it is there.

    A sequence without frames or truths is a problem like a frame without.
    """
    sizes = [name for name in ("480p", "Full-Resolution") if (root / "Annotations" / name).is_dir()]
    if not sizes:
        raise DataError(f"{root / 'Annotations' / '480p'}: no such folder")
    for sequence in read_names(root / "ImageSets" / "2017", "val"):
        place = f"{sizes[0]}/{sequence}"
        images, truths = root / "JPEGImages" / place, root / "Annotations" / place
        for pairs in or_tell(partial(_paired, images, truths, on_problem), on_problem):
            named = ((f"{sequence}/{image.stem}", image, truth) for image, truth in pairs)
            yield from _numbered(named, on_problem)


def _numbered(
    files: Iterable[tuple[str, Path, Path]], on_problem: OnProblem
) -> Iterator[EvaluationObject]:
    for name, image, truth_path in files:
        for truths in or_tell(partial(read_numbered, truth_path), on_problem):
            for number, truth in truths.items():
                make = partial(object_of, f"{name}#{number}", image, truth.mask, valid=truth.valid)
                yield from or_tell(make, on_problem)


def _paired(images: Path, truths: Path, on_problem: OnProblem) -> list[tuple[Path, Path]]:
    """Images with the pictures of the same name, sorted; one without is a problem."""
    for folder in (images, truths):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder")
    by_stem = {path.stem: path for path in sorted(truths.iterdir()) if path.name[0] != "."}
    paths = sorted(path for path in images.iterdir() if path.name[0] != ".")
    if not any(path.stem in by_stem for path in paths):
        some = ", ".join(path.name for path in paths[:3]) or "any image"
        raise DataError(f"{truths}: no truth for {some}")
    for path in paths:
        if path.stem not in by_stem:
            on_problem(f"{truths}: no truth for {path.name}")
    return [(path, by_stem[path.stem]) for path in paths if path.stem in by_stem]
