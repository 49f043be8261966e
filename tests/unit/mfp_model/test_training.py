from pathlib import Path

import numpy as np
import pytest
import torch

from mfp_model.checkpoint import load_checkpoint
from mfp_model.errors import CheckpointError, ConfigError, DataError
from mfp_model.network import NetworkConfig
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.datasets import ClickSamples, SampleSource, read_coco_folder
from mfp_model.training.loop import learning_rate, train
from mfp_model.training.losses import normalised_focal_loss
from mfp_model.training.rounds import draw_n_rounds
from tests.unit.mfp_model.coco_folder import make_coco_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_coco_folder(tmp_path_factory.mktemp("coco"))


def _config(folder: Path, **changes: object) -> TrainingConfig:
    values: dict[str, object] = {
        "folders": ((folder, 1.0),),
        "n_samples": 8,
        "phases": (Phase(size=32, batch=2, share=0.5), Phase(size=64, batch=2, share=0.5)),
        "max_rounds": 3,
    }
    return TrainingConfig(**{**values, **changes})  # type: ignore[arg-type]


def test_polygons_and_rle_are_read_and_crowds_left_out(folder: Path) -> None:
    images = read_coco_folder(folder)
    assert [len(image.segmentations) for image in images] == [2, 2, 2]
    for index in range(2):
        assert images[0].mask(index).sum() == 900


def test_a_folder_without_annotations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"annotations\.json"):
        read_coco_folder(tmp_path)


def test_sample_i_depends_on_the_seed_and_i_alone(folder: Path) -> None:
    source = SampleSource.read(((folder, 1.0),))
    one, two = (ClickSamples(source, size=64, seed=3, merge_probability=0.5) for _ in range(2))
    for index in (5, 2, 9):
        (pixels, target), (again, target_again) = one[index], two[index]
        assert pixels.shape == (64, 64, 3)
        assert set(np.unique(target)) <= {0, 1}
        np.testing.assert_array_equal(pixels, again)
        np.testing.assert_array_equal(target, target_again)


def test_the_loss_ignores_what_is_not_valid_and_normalises_per_sample() -> None:
    logits = torch.tensor([[[8.0, -8.0], [0.0, 3.0]]], requires_grad=True)
    truth = torch.tensor([[[1, 0], [1, -1]]])
    loss = normalised_focal_loss(logits, truth)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0, 1, 1] == 0
    # All weight lies on the one hard pixel, whose cross-entropy is log 2.
    assert loss.item() == pytest.approx(0.5 * np.log(2), rel=0.01)


def test_training_writes_a_checkpoint_that_records_where_it_comes_from(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "net.safetensors"
    steps: list[dict[str, float]] = []
    train(
        _config(folder),
        NetworkConfig(input_size=64),
        out,
        version="t",
        report=steps.append,
        n_workers=0,
    )
    assert [step["n_seen"] for step in steps] == [2, 4, 6, 8]
    assert all(np.isfinite(step["loss"]) for step in steps)
    checkpoint = load_checkpoint(out)
    checkpoint.network()
    assert checkpoint.origin["n_seen"] == 8
    assert checkpoint.origin["data"] == [folder.name]
    assert str(folder) not in str(checkpoint.origin)


def test_a_run_cut_in_two_ends_where_an_uncut_one_does(folder: Path, tmp_path: Path) -> None:
    network = NetworkConfig(input_size=64)
    whole_run, cut_run = tmp_path / "whole", tmp_path / "cut"
    arguments = {"version": "t", "report": lambda step: None, "n_workers": 0}
    train(_config(folder), network, whole_run, **arguments)  # type: ignore[arg-type]
    train(_config(folder), network, cut_run, stop_after=4, **arguments)  # type: ignore[arg-type]
    assert load_checkpoint(cut_run).origin["n_seen"] == 4
    train(_config(folder), network, cut_run, **arguments)  # type: ignore[arg-type]
    expected, weights = load_checkpoint(whole_run).weights, load_checkpoint(cut_run).weights
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, atol=2e-3, rtol=2e-3, msg=name)


def test_a_damaged_state_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "net"
    out.with_name("net.state").write_bytes(b"not a state")
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        train(_config(folder), NetworkConfig(), out, version="t", report=lambda step: None)


def test_rounds_are_drawn_with_falling_probability(folder: Path) -> None:
    config = _config(folder, max_rounds=4)
    generator = np.random.default_rng(0)
    counts = np.bincount([draw_n_rounds(config, generator) for _ in range(2000)], minlength=5)
    assert counts[0] == 0
    assert counts[1] > counts[2] > counts[3] > counts[4] > 0


def test_the_learning_rate_rises_and_falls_to_zero(folder: Path) -> None:
    config = _config(folder, n_samples=10_000)
    rates = [learning_rate(config, n) for n in (0, 2999, 9999)]
    assert rates[0] < 0.01 * rates[1]
    assert rates[2] < 1e-6


def test_phases_that_do_not_add_up_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="add up"):
        _config(folder, phases=(Phase(size=32, batch=2, share=0.5),))
    with pytest.raises(ConfigError, match="at least one"):
        _config(folder, folders=())
