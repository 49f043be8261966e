"""SBD's files: lists of names, and instance numbers in MATLAB files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfp_model.data.matlab import read_matlab
from mfp_model.errors import DataError


def read_names(root: Path, split: str) -> list[str]:
    """Return the image names of `split` (`train` or `val`), from `root/<split>.txt`.

    Raises:
        DataError: The file is missing or empty, or no text in UTF-8.
    """
    path = root / f"{split}.txt"
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a list of image names")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected a list of names in UTF-8, got {error}") from None
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise DataError(f"{path}: expected image names, one a line, got an empty file")
    return names


def read_instances(path: Path) -> NDArray[np.uint8]:
    """Return the instance numbers of `inst/*.mat`, uint8 `[H, W]`; 0 background, 255 ignored.

    Raises:
        DataError: The file is missing or is not SBD's.
    """
    return read_matlab(path, _instances, expected="SBD's GTinst")


def _instances(content: dict[str, Any]) -> NDArray[np.uint8]:
    return np.asarray(content["GTinst"]["Segmentation"][0][0], dtype=np.uint8)
