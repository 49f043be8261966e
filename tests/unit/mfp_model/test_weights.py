"""Files of weights that must not serve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from mfp_model.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mfp_model.errors import CheckpointError
from mfp_model.weights import DEFAULT_WEIGHTS, weights_version
from mfp_model.weights.checking import check_weights
from mfp_model.weights.versions import model_version


def _changed(path: Path, *, size: Any = 64, value: float | None = None) -> Path:  # noqa: ANN401
    """The checkpoint with another input size, or another value somewhere."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}
        metadata = dict(file.metadata())
    config = json.loads(metadata["config"])
    metadata["config"] = json.dumps({**config, "input_size": size})
    if value is not None:
        name = next(name for name in sorted(weights) if weights[name].dtype == np.float32)
        weights[name] = weights[name].copy()
        weights[name].flat[0] = value
    changed = path.with_name("changed.safetensors")
    save_file(weights, changed, metadata)
    return changed


@pytest.fixture
def path(tiny_checkpoint: Checkpoint, tmp_path: Path) -> Path:
    save_checkpoint(tiny_checkpoint, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


@pytest.mark.parametrize("bits", [32, 16, 8])
def test_sound_weights_are_told_by_their_version(
    tiny_checkpoint: Checkpoint, tmp_path: Path, bits: int
) -> None:
    save_checkpoint(tiny_checkpoint, tmp_path / "a.safetensors", bits=bits)
    assert check_weights(tmp_path / "a.safetensors") == "tiny-1"
    assert check_weights(DEFAULT_WEIGHTS) == weights_version(DEFAULT_WEIGHTS)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(path: Path, value: float) -> None:
    damaged = _changed(path, value=value)
    for read in (check_weights, load_checkpoint):
        with pytest.raises(CheckpointError, match=r"changed\.safetensors.*finite"):
            read(damaged)


@pytest.mark.parametrize("size", [10**9, 0, -1, 4097, "64", None, True, 64.0, [64]])
def test_an_absurd_input_size_is_refused_with_words(path: Path, size: object) -> None:
    damaged = _changed(path, size=size)
    for read in (check_weights, load_checkpoint):
        with pytest.raises(CheckpointError, match="input_size"):
            read(damaged)


@pytest.mark.parametrize("n_bytes", [0, 7, 1000, 100_000])
def test_a_cut_file_is_refused_by_name(path: Path, n_bytes: int) -> None:
    path.write_bytes(path.read_bytes()[:n_bytes])
    for read in (check_weights, load_checkpoint):
        with pytest.raises(CheckpointError, match=r"tiny\.safetensors"):
            read(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing"):
        check_weights(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float8_e4m3fn])
def test_a_type_that_numpy_has_not_is_told_by_name(path: Path, kind: torch.dtype) -> None:
    with safe_open(path, framework="pt") as file:
        metadata, names = file.metadata(), list(file.keys())
        tensors = {name: file.get_tensor(name) for name in names}
    save_torch_file({**tensors, names[0]: tensors[names[0]].to(kind)}, path, metadata)
    for read in (check_weights, load_checkpoint, model_version):
        with pytest.raises(
            CheckpointError, match=f"{names[0]} is stored as [BF816]+.*, expected F32"
        ):
            read(path)
