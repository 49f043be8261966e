"""Model versions: they differ wherever masks may."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from mfp_model.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mfp_model.errors import CheckpointError
from mfp_model.networks.modulation import ModulationConfig
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.weights import DEFAULT_WEIGHTS
from mfp_model.weights.versions import ANSWERS, model_version


def _version(checkpoint: Checkpoint, path: Path, *, bits: int = 32) -> str:
    save_checkpoint(checkpoint, path, bits=bits)
    return model_version(path)


def test_the_version_is_short_and_tells_weights_and_code() -> None:
    version = model_version(DEFAULT_WEIGHTS)
    assert re.fullmatch(rf"lite2-3-[0-9a-f]{{8}}\.{ANSWERS}", version)


@pytest.mark.parametrize("bits", [32, 16, 8])
def test_file_memory_and_segmenter_agree(
    tiny_checkpoint: Checkpoint, tmp_path: Path, bits: int
) -> None:
    version = _version(tiny_checkpoint, tmp_path / "a", bits=bits)
    loaded = load_checkpoint(tmp_path / "a")
    assert version == f"{loaded.identity}.{ANSWERS}"
    segmenter = MfpSegmenter(loaded, device="cpu", engine="pytorch")
    assert segmenter.version == version + "-bf16" * segmenter.engine.is_bf16


def test_one_value_changes_it_and_where_the_weights_come_from_does_not(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    version = _version(tiny_checkpoint, tmp_path / "a")
    checkpoint = replace(tiny_checkpoint, origin={"data": ["elsewhere"]})
    assert _version(checkpoint, tmp_path / "b") == version
    weights = dict(tiny_checkpoint.weights)
    for name, tensor in weights.items():
        if not tensor.is_floating_point() or "logits" not in name:
            continue
        changed = tensor.clone()
        changed.view(-1)[0] += 1e-3
        other = replace(tiny_checkpoint, weights={**weights, name: changed})
        assert _version(other, tmp_path / "c") != version, name


@pytest.mark.parametrize("bits", [16, 8])
def test_fewer_bits_are_other_weights(
    tiny_checkpoint: Checkpoint, tmp_path: Path, bits: int
) -> None:
    version = _version(tiny_checkpoint, tmp_path / "a")
    assert _version(tiny_checkpoint, tmp_path / "b", bits=bits) != version


def test_another_config_is_another_version(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    config = tiny_checkpoint.config
    modulation = ModulationConfig(n_early_clicks=3)
    configs = [config, replace(config, input_size=96), replace(config, modulation=modulation)]
    versions = {
        _version(replace(tiny_checkpoint, config=config), tmp_path / "a") for config in configs
    }
    assert len(versions) == len(configs)


def test_values_swapped_between_tensors_of_one_shape_are_other_weights(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    weights = dict(tiny_checkpoint.weights)
    means = [name for name in weights if name.endswith("running_mean")]
    first, second = next(
        pair for pair in combinations(means, 2) if len({weights[name].shape for name in pair}) == 1
    )
    swapped = {**weights, first: weights[second], second: weights[first]}
    versions = {
        _version(replace(tiny_checkpoint, weights=weights), tmp_path / "a"),
        _version(replace(tiny_checkpoint, weights=swapped), tmp_path / "b"),
    }
    assert len(versions) == 2


def test_averaging_the_mirrored_image_shows(tiny_checkpoint: Checkpoint) -> None:
    plain = MfpSegmenter(tiny_checkpoint, device="cpu", engine="pytorch")
    flipped = MfpSegmenter(tiny_checkpoint, device="cpu", engine="pytorch", averages_flip=True)
    assert flipped.version == f"{plain.version}-flip"


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\xff" * 4096])
def test_a_damaged_file_has_no_version(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        model_version(tmp_path / "damaged")
    with pytest.raises(CheckpointError, match="nothing"):
        model_version(tmp_path / "nothing")
