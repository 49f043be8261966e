"""A checkpoint's tensors as its file holds them, and as they compute, without loading torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfp_model.errors import CheckpointError

SCALE = "#scale"  # behind the name of a tensor in 8 bits: its scales

Values = NDArray[Any]


def widened_tensors(file: Any, path: Path) -> Iterator[tuple[str, Values]]:  # noqa: ANN401
    """Yield a file's tensors by name, one at a time: floating ones in float32.

    Args:
        file: What `safetensors.safe_open` opened, with framework `numpy`.
        path: What errors name.

    Raises:
        CheckpointError: A value is not finite, or of a type that NumPy has not.
    """
    names = set(file.keys())
    for name in sorted(names):
        if name.endswith(SCALE):
            continue
        stored = _tensor(file, name, path)
        scale = _tensor(file, name + SCALE, path) if name + SCALE in names else None
        for part in (stored, scale):
            if part is not None and not np.isfinite(part).all():
                raise CheckpointError(f"checkpoint {path}: {name} is not finite everywhere")
        yield name, _widened(stored, scale)


def _tensor(file: Any, name: str, path: Path) -> Values:  # noqa: ANN401
    try:
        values: Values = file.get_tensor(name)
    except (AttributeError, TypeError):
        kind = file.get_slice(name).get_dtype()
        raise CheckpointError(
            f"checkpoint {path}: {name} is stored as {kind}, expected F32, F16 or I8"
        ) from None
    return values


def _widened(stored: Values, scale: Values | None) -> Values:
    if scale is not None:
        return stored.astype(np.float32) * scale.reshape(-1, *[1] * (stored.ndim - 1))
    return stored.astype(np.float32) if np.issubdtype(stored.dtype, np.floating) else stored
