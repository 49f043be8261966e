import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mfp_model.checkpoints.checkpoint import load_checkpoint
from mfp_model.errors import ConfigError
from mfp_model.networks.network import NetworkConfig
from mfp_model.training import curves, threads
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.loop import Run, learning_rate
from mfp_model.training.presets import RUNS
from mfp_model.training.samples import SampleSource
from mfp_model.training.threads import ThreadChoice
from tests.unit.mfp_model.coco_folder import make_coco_folder
from tests.unit.mfp_model.training.short_runs import config_of, rows_of, train_shortly


def test_phases_come_again_in_every_cycle(folder: Path) -> None:
    config = config_of(folder, n_samples=1000, cycle_samples=10)
    assert [config.phase_at(n) for n in (0, 4, 5, 9, 10, 14, 15, 999)] == [0, 0, 1, 1, 0, 0, 1, 1]


def test_a_pretrained_encoder_learns_slower_and_does_not_decay(folder: Path) -> None:
    config = config_of(folder, encoder_rate=0.1, n_samples=2)
    run = Run(config, NetworkConfig(backbone="lite2", input_size=64))
    fast, slow = run.state.optimiser.param_groups
    assert len(slow["params"]) == len(run.state.network.encoder_parameters())  # type: ignore[operator]
    assert slow["weight_decay"] == 0
    list(run.steps(SampleSource.read(config), n_workers=0))
    assert slow["lr"] == pytest.approx(0.1 * fast["lr"])
    n_parameters = len(list(run.state.network.parameters()))
    assert len(fast["params"]) + len(slow["params"]) == n_parameters


def test_the_number_of_threads_is_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {1: 1.0, 2: 3.0}
    clock = {"now": 0.0}
    monkeypatch.setattr(threads, "monotonic", lambda: clock["now"])
    set_to: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    choice = ThreadChoice((1, 2))
    used, left = [], []
    for index in range(200):
        if index == 99:
            seconds = {1: 3.0, 2: 1.0}
        with choice.step() as n_threads:
            clock["now"] += seconds[n_threads]
        used.append(n_threads)
        left.append(set_to[-1])
    assert left[:4] == [2, 2, 2, 1]  # what comes between steps begins with all, then the fastest
    assert left[106:] == [2] * 94
    assert used[:5] == [1, 1, 1, 2, 1]  # one clearly slower step is enough
    assert used[5:99] == [1] * 94
    assert used[106:] == [2] * 94


@pytest.mark.slow
def test_training_writes_a_checkpoint_that_records_where_it_comes_from(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "net.safetensors"
    steps = train_shortly(config_of(folder), out)
    assert [step["n_seen"] for step in steps] == [2, 4, 6, 8]
    assert all(np.isfinite(step["loss"]) for step in steps)
    checkpoint = load_checkpoint(out)
    checkpoint.network()
    assert checkpoint.origin["n_seen"] == 8
    assert checkpoint.origin["data"] == [
        {"name": folder.name, "images": 3, "objects": 6, "share": 1.0}
    ]
    assert checkpoint.origin["training"]["seed"] == 0
    assert set(checkpoint.origin["git"] or {"commit": "", "changed": ""}) == {"commit", "changed"}
    assert str(folder) not in str(checkpoint.origin)


@pytest.mark.slow
def test_validation_keeps_the_best_weights_and_draws_a_sheet(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    held_out = make_coco_folder(tmp_path / "held-out")
    train_shortly(
        config_of(folder), out, validation=((held_out, 1.0),), n_validation=3, epoch_samples=4
    )
    rows = rows_of(tmp_path / "net.validation.csv")
    assert [row["n_seen"] for row in rows] == ["4", "8"]
    best = load_checkpoint(out)
    scores = [float(row["score"]) for row in rows]
    assert np.mean(best.origin["validation_miou_at"]) == pytest.approx(max(scores), abs=1e-6)
    assert best.origin["n_seen"] == [4, 8][int(np.argmax(scores))]
    sheet = cv2.imread(str(tmp_path / "net.epoch-002.png"))
    assert sheet is not None
    assert sheet.shape == (3 * 64, 4 * 64, 3)


@pytest.mark.slow
def test_steps_are_logged(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "_LOG_EVERY", 2)
    train_shortly(config_of(folder, n_samples=8), tmp_path / "net.safetensors")
    rows = rows_of(tmp_path / "net.log.csv")
    assert [row["n_seen"] for row in rows] == ["4", "8"]
    assert {"loss", "iou", "learning_rate", "images_per_s"} <= rows[0].keys()


@pytest.mark.slow
def test_a_run_starts_from_a_checkpoint(folder: Path, tmp_path: Path) -> None:
    train_shortly(config_of(folder), tmp_path / "one")
    start = load_checkpoint(tmp_path / "one")
    train_shortly(config_of(folder, learning_rate=0.0), tmp_path / "two", start=start)
    two = load_checkpoint(tmp_path / "two")
    assert two.origin["start"] == "t"
    torch.testing.assert_close(
        two.weights["head.logits.weight"], start.weights["head.logits.weight"], atol=2e-4, rtol=1e-2
    )


def test_the_learning_rate_rises_and_falls_to_zero_or_goes_down_in_steps(folder: Path) -> None:
    config = config_of(folder, n_samples=10_000)
    rates = [learning_rate(config, n) for n in (0, 2999, 9999)]
    assert rates[0] < 0.01 * rates[1]
    assert rates[2] < 1e-6
    steps = config_of(folder, n_samples=100, schedule="steps", milestones=(0.5, 0.9))
    factors = [learning_rate(steps, n) / steps.learning_rate for n in (0, 49, 50, 90)]
    assert factors == pytest.approx([1, 1, 0.1, 0.01])


def test_wrong_values_are_refused(folder: Path) -> None:
    for changes, message in (
        ({"phases": (Phase(height=32, width=32, batch=2, share=0.5),)}, "add up"),
        ({"folders": ()}, "at least one"),
        ({"folders": ((folder, 0.0),)}, "above 0"),
        ({"scheme": "other"}, "scheme"),
        ({"prior_probability": 1.5}, "prior_probability"),
    ):
        with pytest.raises(ConfigError, match=message):
            config_of(folder, **changes)
    with pytest.raises(ConfigError, match="multiple of 32"):
        Phase(height=33, width=32, batch=2)


@pytest.mark.parametrize("name", list(RUNS))
def test_presets_are_whole(name: str, folder: Path) -> None:
    config = TrainingConfig(folders=((folder, 1.0),), **RUNS[name].fields)
    NetworkConfig(backbone=RUNS[name].backbone)
    json.dumps(RUNS[name].fields, default=str)
    if name in ("resnet34", "hrnet18", "vit_b"):
        assert config.scheme == "recursive"
        assert config.max_rounds == 24


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["hrnet18", "resnet34", "vit_b"])
def test_every_published_network_learns(backbone: str, folder: Path) -> None:
    config = config_of(
        folder, n_samples=2, phases=(Phase(height=64, width=64, batch=2),), scheme="recursive"
    )
    run = Run(config, NetworkConfig(backbone=backbone, input_size=64))
    (step,) = run.steps(SampleSource.read(config), n_workers=0)
    assert np.isfinite(step["loss"])
    missing = [n for n, p in run.state.network.named_parameters() if p.grad is None]
    assert missing == []
