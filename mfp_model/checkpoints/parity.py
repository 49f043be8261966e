"""Parity: logits of a published checkpoint against recorded ones, for both kinds of round."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfp_model.checkpoints.published import load_published
from mfp_model.errors import DataError
from mfp_model.networks.click_map import click_tensor
from mfp_model.networks.network import run_round

_ARRAYS = ("image", "prev", "points", "logits", "first_points", "first_logits")


def parity(published: Path, vectors: Path) -> dict[str, float]:
    """Return the greatest difference of logits, relative to the greatest recorded logit.

    Args:
        published: A checkpoint in the published layout.
        vectors: An npz file with `image` float32 `[3, H, W]` in 0..1, `prev` float32 `[H, W]`,
            `points` `[1, 2n, 3]` as (row, column, index), first n positive, then n negative,
            -1 for absent, `logits` `[H, W]`; `first_points` and `first_logits` for a first
            round.

    Returns:
        `round` and `first_round`, for a later and a first round.

    Raises:
        CheckpointError: The checkpoint cannot be loaded.
        DataError: The vectors are missing, incomplete or damaged.
    """
    arrays = _read(vectors)
    network = load_published(published).network()
    image = torch.from_numpy(arrays["image"])[None].float()
    previous = torch.from_numpy(arrays["prev"])[None].float()
    with torch.inference_mode():
        later = run_round(network, image, previous, _clicks(arrays["points"]))
        first = run_round(
            network, image, torch.zeros_like(previous), _clicks(arrays["first_points"])
        )
    return {
        "round": _difference(later.logits, arrays["logits"]),
        "first_round": _difference(first.logits, arrays["first_logits"]),
    }


def _read(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in _ARRAYS}
    except Exception as error:  # a cut or damaged file makes NumPy and zlib raise anything
        raise DataError(
            f"{path}: expected an npz file with {', '.join(_ARRAYS)}: {error!r:.200}"
        ) from None


def _clicks(points: NDArray[np.float32]) -> Tensor:
    n_positive = points.shape[1] // 2
    clicks = [
        (index, (column, row, position < n_positive))
        for position, (row, column, index) in enumerate(points[0].tolist())
        if index >= 0
    ]
    return click_tensor([[click for _, click in sorted(clicks)]])


def _difference(ours: Tensor, recorded: NDArray[np.float32]) -> float:
    if ours.shape[1:] != recorded.shape:
        raise DataError(f"recorded logits {recorded.shape}: expected {tuple(ours.shape[1:])}")
    return float(np.abs(ours[0].numpy() - recorded).max() / np.abs(recorded).max())
