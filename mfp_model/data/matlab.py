"""MATLAB's files, as SBD and BSDS500 have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from scipy.io import loadmat

from mfp_model.errors import DataError

_Value = TypeVar("_Value")


def read_matlab(path: Path, take: Callable[[dict[str, Any]], _Value], *, expected: str) -> _Value:
    """Return what is taken of a file's variables.

    Args:
        path: The file.
        take: Takes it, of the variables by name.
        expected: What should be in the file, for messages.

    Raises:
        DataError: The file is missing or damaged, or has something else in it.
    """
    try:
        return take(loadmat(path))
    except Exception as error:  # a cut or damaged file makes SciPy and zlib raise anything
        raise DataError(f"{path}: expected {expected}, got {error!r:.200}") from None
