"""One object to evaluate on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mfp_model.data.coco import OnProblem
from mfp_model.data.orientation import turned
from mfp_model.data.pictures import check_image, read_image
from mfp_model.errors import DataError, ImageError
from mfp_model.prompts import Click

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvaluationObject:
    """One object to click on.

    Attributes:
        name: For reports.
        image: RGB uint8 `[H, W, 3]`.
        truth: bool `[H, W]`.
        valid: False where an error does not count, bool `[H, W]`.
        clicks: Real ones that were recorded, oldest first, image frame; see
            `mfp_model.evaluation.recorded`.
        prior: The mask that they began with, bool `[H, W]`, None for nothing.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    clicks: tuple[Click, ...] = ()
    prior: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnreadObject:
    """An object of many, of which only some are read.

    Attributes:
        truth: Returns its pixels as they lie in the file, bool `[H, W]`.
        read: Returns all of it. Raises `DataError` or `ImageError` where it is damaged.
    """

    truth: Callable[[], NDArray[np.bool_]]
    read: Callable[[], EvaluationObject]


def object_of(
    name: str,
    path: Path,
    truth: NDArray[np.bool_],
    *,
    valid: NDArray[np.bool_] | None = None,
) -> EvaluationObject:
    """Return an object on a photo as it is shown.

    Args:
        name: For reports.
        path: The image file.
        truth: bool `[H, W]`, on the file's pixels as they lie or as they are shown.
        valid: Likewise; None for everywhere.

    Raises:
        DataError: The file has another size than the truth, or the truth has no pixel.
        ImageError: The file cannot be read.
    """
    height, width = truth.shape
    try:
        turn = check_image(path).turn_of(height=height, width=width)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    if not truth.any():
        raise DataError(f"{name}: a mask without a pixel")
    valid = np.ones_like(truth) if valid is None else valid
    return EvaluationObject(
        name=name, image=read_image(path), truth=turned(truth, turn), valid=turned(valid, turn)
    )


def or_tell(make: Callable[[], _Made], on_problem: OnProblem) -> Iterator[_Made]:
    """Yield what is made; where it cannot be, tell why and yield nothing."""
    try:
        made = make()
    except (DataError, ImageError) as error:
        on_problem(str(error))
        return
    yield made
