from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mfp_model.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mfp_model.errors import CheckpointError
from mfp_model.files import write_atomically
from mfp_model.weights import DEFAULT_WEIGHTS, weights_version


def test_what_is_saved_comes_back(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(replace(tiny_checkpoint, origin={"data": ["x"]}), path)
    loaded = load_checkpoint(path)
    assert loaded.version == weights_version(path) == "tiny-1"
    assert loaded.config == tiny_checkpoint.config
    assert loaded.origin == {"data": ["x"]}
    for name, tensor in tiny_checkpoint.weights.items():
        assert torch.equal(loaded.weights[name], tensor), name


def test_half_precision_halves_the_file(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tiny_checkpoint, tmp_path / "full")
    save_checkpoint(tiny_checkpoint, tmp_path / "half", bits=16)
    sizes = [(tmp_path / name).stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.55 * sizes[1]
    assert load_checkpoint(tmp_path / "half").network() is not None


def test_eight_bits_quarter_the_file_and_keep_each_kernel_close(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "small"
    save_checkpoint(tiny_checkpoint, path, bits=8)
    save_checkpoint(tiny_checkpoint, tmp_path / "full")
    assert path.stat().st_size < 0.3 * (tmp_path / "full").stat().st_size
    loaded = load_checkpoint(path).weights
    assert loaded.keys() == tiny_checkpoint.weights.keys()
    for name, tensor in tiny_checkpoint.weights.items():
        if tensor.ndim < 2:
            assert torch.equal(loaded[name], tensor), name
            continue
        largest = tensor.flatten(1).abs().amax(dim=1)
        error = (loaded[name] - tensor).flatten(1).abs().amax(dim=1)
        assert bool((error <= largest / 127 / 2 + 1e-6).all()), name


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_missing_damaged_and_foreign_files_are_refused(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(path)
    save_checkpoint(tiny_checkpoint, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="safetensors"):
        load_checkpoint(path)
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="format None"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match="version"):
        weights_version(path)


def test_weights_that_do_not_fit_are_refused(tiny_checkpoint: Checkpoint) -> None:
    weights = dict(tiny_checkpoint.weights)
    weights.pop("head.logits.bias")
    with pytest.raises(CheckpointError, match=r"head\.logits\.bias"):
        replace(tiny_checkpoint, weights=weights).network()
    with pytest.raises(CheckpointError, match=r"left over \['x'\]") as refused:
        replace(tiny_checkpoint, weights={"x": torch.zeros(1)}).network()
    assert len(str(refused.value)) < 200


def test_the_shipped_weights_load_and_are_small() -> None:
    checkpoint = load_checkpoint(DEFAULT_WEIGHTS)
    checkpoint.network()
    assert checkpoint.version == weights_version(DEFAULT_WEIGHTS)
    assert DEFAULT_WEIGHTS.stat().st_size <= 12e6
    assert checkpoint.origin["data"]


def test_statistics_beyond_16_bits_survive_and_what_is_not_finite_is_refused(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    name = next(name for name in tiny_checkpoint.weights if name.endswith("running_var"))
    for value in (1e6, float("nan")):
        weights = dict(tiny_checkpoint.weights)
        weights[name] = torch.full_like(weights[name], value)
        path = tmp_path / f"{value}.safetensors"
        if value == 1e6:
            save_checkpoint(replace(tiny_checkpoint, weights=weights), path, bits=16)
            assert torch.equal(load_checkpoint(path).weights[name], weights[name])
        else:
            with pytest.raises(CheckpointError, match="not finite"):
                save_checkpoint(replace(tiny_checkpoint, weights=weights), path)
            assert not path.exists()
