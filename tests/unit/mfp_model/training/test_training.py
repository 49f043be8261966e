import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mfp_model.checkpoints.checkpoint import load_checkpoint
from mfp_model.errors import CheckpointError, ConfigError
from mfp_model.networks.network import NetworkConfig, Outputs
from mfp_model.training import ranks, threads
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.loop import Run, learning_rate
from mfp_model.training.losses import normalised_focal_loss, sample_ious, total_loss
from mfp_model.training.presets import RUNS
from mfp_model.training.rounds import RecursiveRounds, draw_n_rounds
from mfp_model.training.samples import Sample, SampleSource
from mfp_model.training.state import load_state, save_state
from mfp_model.training.stream import StreamedRounds
from mfp_model.training.threads import ThreadChoice
from mfp_model.training.train import TrainingJob, train
from tests.unit.mfp_model.coco_folder import make_coco_folder

_NETWORK = NetworkConfig(input_size=64)
_NO_CLICKS = torch.zeros(1, 1, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_coco_folder(tmp_path_factory.mktemp("coco"))


def _config(folder: Path, **changes: object) -> TrainingConfig:
    values: dict[str, object] = {
        "folders": ((folder, 1.0),),
        "n_samples": 8,
        "phases": (
            Phase(height=32, width=32, batch=2, share=0.5),
            Phase(height=64, width=64, batch=2, share=0.5, freezes_norms=True),
        ),
        "max_rounds": 3,
    }
    return TrainingConfig(**{**values, **changes})  # type: ignore[arg-type]


def _train(
    config: TrainingConfig,
    out: Path,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    **changes: Any,  # noqa: ANN401
) -> list[dict[str, float]]:
    steps: list[dict[str, float]] = []
    values = {"config": config, "network_config": _NETWORK, "out": out, "version": "t"}
    job = TrainingJob(**{**values, "n_workers": 0, **changes})
    train(job, report=lambda step: steps.append(dict(step)), should_stop=should_stop)
    return steps


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_the_loss_ignores_what_is_not_valid_and_normalises_per_sample() -> None:
    logits = torch.tensor([[[8.0, -8.0], [0.0, 3.0]]], requires_grad=True)
    truth = torch.tensor([[[1, 0], [1, -1]]])
    loss = normalised_focal_loss(logits, truth)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0, 1, 1] == 0
    # All weight lies on the one hard pixel, whose cross-entropy is log 2.
    assert loss.item() == pytest.approx(0.5 * np.log(2), rel=0.01)


def test_auxiliary_logits_add_to_the_loss() -> None:
    logits, truth = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    config = _config(Path("unread"))
    without, with_it = (
        total_loss(Outputs(logits=logits, auxiliary=others), truth, _NO_CLICKS, config)
        for others in ((), (logits,))
    )
    assert (with_it - without).item() == pytest.approx(0.4 * np.log(2), rel=1e-5)


def test_a_click_that_is_not_obeyed_adds_to_the_loss() -> None:
    truth = torch.zeros(1, 8, 8, dtype=torch.int8)
    truth[:, 2:5, 2:5] = 1
    clicks = torch.tensor([[[3.5, 3.5, 1.0], [7.5, 7.5, -1.0], [0.0, 0.0, 0.0]]])
    config = _config(Path("unread"), click_weight=1.0)
    plain = _config(Path("unread"))
    for value, expected in ((-4.0, 4.0), (4.0, 0.0)):
        logits = torch.full((1, 8, 8), -4.0)
        logits[:, 3, 3] = value
        outputs = Outputs(logits=logits)
        losses = [total_loss(outputs, truth, clicks, c).item() for c in (config, plain)]
        assert losses[0] - losses[1] == pytest.approx(expected / 2, abs=0.05)


def test_the_estimated_iou_counts_what_lies_outside_the_crop() -> None:
    truth = torch.ones(1, 4, 4, dtype=torch.int8)
    logits = torch.full((1, 4, 4), 9.0)
    assert sample_ious(logits > 0, truth).item() == 1
    assert sample_ious(logits > 0, truth, torch.tensor([16.0])).item() == 0.5
    config = _config(Path("unread"), iou_weight=1.0)
    sure, unsure = (
        total_loss(
            Outputs(logits=logits, iou_logits=torch.tensor([estimate])),
            truth,
            _NO_CLICKS,
            config,
            torch.tensor([16.0]),
        )
        for estimate in (9.0, 0.0)
    )
    assert (sure - unsure).item() == pytest.approx(0.25, abs=0.01)


def test_phases_come_again_in_every_cycle(folder: Path) -> None:
    config = _config(folder, n_samples=1000, cycle_samples=10)
    assert [config.phase_at(n) for n in (0, 4, 5, 9, 10, 14, 15, 999)] == [0, 0, 1, 1, 0, 0, 1, 1]


def test_a_pretrained_encoder_learns_slower_and_does_not_decay(folder: Path) -> None:
    config = _config(folder, encoder_rate=0.1, n_samples=2)
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


def test_training_writes_a_checkpoint_that_records_where_it_comes_from(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "net.safetensors"
    steps = _train(_config(folder), out)
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
@pytest.mark.parametrize("scheme", ["streamed", "recursive"])
def test_a_run_cut_in_two_ends_where_an_uncut_one_does(
    scheme: str, folder: Path, tmp_path: Path
) -> None:
    chances = {"prior_probability": 0.3, "box_probability": 0.3, "paste_probability": 0.3}
    config = _config(folder, scheme=scheme, **chances)
    _train(config, tmp_path / "whole")
    cut = tmp_path / "cut"
    first = iter([False, False, True])
    assert len(_train(config, cut, should_stop=lambda: next(first))) == 3
    assert load_checkpoint(cut).origin["n_seen"] == 6
    assert [step["n_seen"] for step in _train(config, cut)] == [8]
    expected, weights = load_checkpoint(tmp_path / "whole").weights, load_checkpoint(cut).weights
    for name, tensor in expected.items():
        assert torch.equal(weights[name], tensor), name


@pytest.mark.slow
def test_another_batch_gives_up_the_samples_in_work_and_goes_on(
    folder: Path, tmp_path: Path
) -> None:
    phase = Phase(height=32, width=32, batch=2)
    stop = iter([False, True])
    _train(_config(folder, phases=(phase,)), tmp_path / "n", should_stop=lambda: next(stop))
    wider = _config(folder, phases=(replace(phase, batch=4),))
    assert [step["n_seen"] for step in _train(wider, tmp_path / "n")] == [8]


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_what_was_saved(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "net.safetensors"
    stop = iter([False, True])
    _train(_config(folder), out, should_stop=lambda: next(stop))
    before = {path: path.read_bytes() for path in (out, out.with_name("net.safetensors.state"))}
    monkeypatch.setattr("mfp_model.training.loop.learning_rate", lambda config, n_seen: 1e20)
    with pytest.raises(ConfigError, match="gradient is nan after 6 samples"):
        _train(_config(folder), out)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.slow
def test_a_run_that_goes_on_with_other_data_tells_what_came_before(
    folder: Path, tmp_path: Path
) -> None:
    other = make_coco_folder(tmp_path / "other")
    out, stop = tmp_path / "net", iter([False, True])
    _train(_config(folder), out, should_stop=lambda: next(stop))
    _train(_config(folder), out, should_stop=lambda: True)
    assert "earlier" not in load_checkpoint(out).origin
    _train(_config(folder, folders=((other, 1.0),)), out)
    origin = load_checkpoint(out).origin
    assert ([data["name"] for data in origin["data"]], origin["n_seen"]) == (["other"], 8)
    (before,) = origin["earlier"]
    assert ([data["name"] for data in before["data"]], before["n_seen"]) == ([folder.name], 6)


@pytest.mark.parametrize("n_ranks", [1, 3, 8])
def test_another_number_of_ranks_goes_on_with_samples_that_none_has_drawn(
    n_ranks: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.state"
    run = Run(_config(folder), _NETWORK)
    parts = [{"n_drawn": n, "rounds": {}} for n in (5, 7, 6, 7)]
    monkeypatch.setattr(ranks, "gathered", lambda value: parts)
    save_state(run.state, path)
    n_drawn = 4 * 7  # sample i is drawn by rank i modulo 4
    monkeypatch.setattr(ranks, "n_ranks", lambda: n_ranks)
    load_state(run.state, path)
    assert n_drawn <= run.state.n_drawn * n_ranks < n_drawn + n_ranks


@pytest.mark.parametrize("content", [b"not a state", b"", b"\x80\x02}q\x00"])
def test_a_damaged_state_is_refused(folder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.state").write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        _train(_config(folder), tmp_path / "net")


@pytest.mark.slow
def test_validation_keeps_the_best_weights_and_draws_a_sheet(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    held_out = make_coco_folder(tmp_path / "held-out")
    _train(_config(folder), out, validation=((held_out, 1.0),), n_validation=3, epoch_samples=4)
    rows = _rows(tmp_path / "net.validation.csv")
    assert [row["n_seen"] for row in rows] == ["4", "8"]
    best = load_checkpoint(out)
    scores = [float(row["score"]) for row in rows]
    assert np.mean(best.origin["validation_miou_at"]) == pytest.approx(max(scores), abs=1e-6)
    assert best.origin["n_seen"] == [4, 8][int(np.argmax(scores))]
    sheet = cv2.imread(str(tmp_path / "net.epoch-002.png"))
    assert sheet is not None
    assert sheet.shape == (3 * 64, 4 * 64, 3)


def test_a_log_that_a_full_disk_left_empty_gets_its_heading(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "net.validation.csv").touch()
    held_out = ((make_coco_folder(tmp_path / "held-out"), 1.0),)
    config = _config(folder, n_samples=2, max_rounds=1)
    out = tmp_path / "net.safetensors"
    _train(config, out, validation=held_out, n_validation=1, validates_start=True)
    assert [row["n_seen"] for row in _rows(tmp_path / "net.validation.csv")] == ["0", "2"]


@pytest.mark.slow
def test_steps_are_logged(folder: Path, tmp_path: Path) -> None:
    _train(_config(folder, n_samples=80), tmp_path / "net.safetensors")
    rows = _rows(tmp_path / "net.log.csv")
    assert [row["n_seen"] for row in rows] == ["40", "80"]
    assert {"loss", "iou", "learning_rate", "images_per_s"} <= rows[0].keys()


@pytest.mark.slow
def test_a_run_starts_from_a_checkpoint(folder: Path, tmp_path: Path) -> None:
    _train(_config(folder), tmp_path / "one")
    start = load_checkpoint(tmp_path / "one")
    _train(_config(folder, learning_rate=0.0), tmp_path / "two", start=start)
    two = load_checkpoint(tmp_path / "two")
    assert two.origin["start"] == "t"
    torch.testing.assert_close(
        two.weights["head.logits.weight"], start.weights["head.logits.weight"], atol=2e-4, rtol=1e-2
    )


def _fixed(n: int, *, prior: bool = False, box: bool = False) -> Callable[[int], Sample]:
    truth = torch.zeros(n, 64, 64, dtype=torch.int8)
    truth[:, 16:48, 16:48] = 1
    pixels = truth[:, None].repeat(1, 3, 1, 1).mul(200).to(torch.uint8)
    priors = (truth if prior else torch.zeros_like(truth)).to(torch.uint8)
    priors[:, :, 30:] = 0
    is_box = torch.full((n,), box)
    samples = Sample(pixels, truth, priors, is_box, torch.zeros(n))
    return lambda count: Sample(*(part[:count] for part in samples))


def test_streamed_samples_go_from_first_pass_to_modulated_pass_to_more_clicks(
    folder: Path,
) -> None:
    config = _config(folder, round_decay=1.0)
    phase = Phase(height=64, width=64, batch=2)
    network = Run(config, _NETWORK).state.network.eval()
    rounds = StreamedRounds(config, phase=phase, batch=2)
    generator = torch.Generator().manual_seed(0)
    n_clicks, n_new = [], []
    for _ in range(4):
        graded = rounds.graded(network, _fixed(2), generator)
        n_new.append(graded.n_new)
        n_clicks.append(int((rounds.state_dict()["_clicks"][0, :, 2] != 0).sum()))
    # One click serves two passes; after each later pass there is one more, until none is left.
    assert n_clicks == [1, 2, 3, 3]
    assert n_new == [2, 0, 0, 0]
    assert bool(rounds.state_dict()["_is_free"].all())
    assert rounds.graded(network, _fixed(2), generator).n_new == 2


def test_a_sample_with_a_prior_mask_begins_with_a_modulated_pass(folder: Path) -> None:
    config = _config(folder, round_decay=1.0)
    rounds = StreamedRounds(config, phase=Phase(height=64, width=64, batch=2), batch=2)
    network = Run(config, _NETWORK).state.network.eval()
    rounds.graded(network, _fixed(2, prior=True), torch.Generator().manual_seed(0))
    clicks = rounds.state_dict()["_clicks"]
    assert int((clicks[0, :, 2] != 0).sum()) == 2  # one answered, the next one placed
    assert clicks[0, 0, 2] == 1
    assert clicks[0, 0, 0] >= 30  # where the prior lacks something


def test_a_sample_with_a_box_is_answered_before_the_first_click(folder: Path) -> None:
    config = _config(folder, round_decay=1.0)
    rounds = StreamedRounds(config, phase=Phase(height=64, width=64, batch=2), batch=2)
    network = Run(config, _NETWORK).state.network.eval()
    n_clicks = []
    for _ in range(2):
        rounds.graded(network, _fixed(2, prior=True, box=True), torch.Generator().manual_seed(0))
        n_clicks.append(int((rounds.state_dict()["_clicks"][0, :, 2] != 0).sum()))
    assert n_clicks == [1, 2]


def test_the_gradient_of_a_first_round_flows_through_both_passes(folder: Path) -> None:
    config = _config(folder, max_rounds=1)
    network = Run(config, _NETWORK).state.network.train()
    rounds = RecursiveRounds(config, phase=Phase(height=64, width=64, batch=2), batch=2)
    graded = rounds.graded(network, _fixed(2), torch.Generator().manual_seed(0))
    assert network.training
    graded.loss.backward()  # type: ignore[no-untyped-call]
    assert graded.loss.item() > normalised_focal_loss(graded.logits, graded.truth).item()


def test_rounds_are_drawn_with_falling_probability(folder: Path) -> None:
    config = _config(folder, max_rounds=4)
    generator = torch.Generator().manual_seed(0)
    counts = np.bincount([draw_n_rounds(config, generator) for _ in range(2000)], minlength=5)
    assert counts[0] == 0
    assert counts[1] > counts[2] > counts[3] > counts[4] > 0


def test_the_learning_rate_rises_and_falls_to_zero_or_goes_down_in_steps(folder: Path) -> None:
    config = _config(folder, n_samples=10_000)
    rates = [learning_rate(config, n) for n in (0, 2999, 9999)]
    assert rates[0] < 0.01 * rates[1]
    assert rates[2] < 1e-6
    steps = _config(folder, n_samples=100, schedule="steps", milestones=(0.5, 0.9))
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
            _config(folder, **changes)
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
    config = _config(
        folder, n_samples=2, phases=(Phase(height=64, width=64, batch=2),), scheme="recursive"
    )
    run = Run(config, NetworkConfig(backbone=backbone, input_size=64))
    (step,) = run.steps(SampleSource.read(config), n_workers=0)
    assert np.isfinite(step["loss"])
    missing = [n for n, p in run.state.network.named_parameters() if p.grad is None]
    assert missing == []


@pytest.mark.slow
def test_two_ranks_train_the_same_weights(folder: Path, tmp_path: Path) -> None:
    """`torchrun` as a user would call it, on two CPU processes; resumed on a cluster of Ray."""
    out = tmp_path / "net.safetensors"
    python = [sys.executable, "-m"]
    torchrun = ["torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29531", "-m"]
    ray = ["--ray", "--replicas", "2", "--device", "cpu"]
    command = ["backend.cli", "train", "--train", str(folder), "--out", str(out)]
    command += ["--workers", "0", "--batch", "4"]
    for samples, ranked in (
        ("8", [*python, *torchrun, *command]),
        ("16", [*python, *command, *ray]),
    ):
        done = subprocess.run(
            [*ranked, "--samples", samples],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MFP_TORCH_THREADS": "1"},
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert load_checkpoint(out).origin["n_seen"] >= int(samples)
    assert not out.with_name(out.name + ".ray").exists()
    state = torch.load(out.with_name(out.name + ".state"), weights_only=True)
    assert len(state["ranks"]) == 2
    assert not torch.equal(*(part["rounds"]["_image"] for part in state["ranks"]))
