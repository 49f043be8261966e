"""Runs that were cut and go on."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mfp_model.checkpoints.checkpoint import load_checkpoint
from mfp_model.errors import CheckpointError, ConfigError
from mfp_model.training import ranks
from mfp_model.training.config import Phase
from mfp_model.training.loop import Run
from mfp_model.training.state import load_state, save_state
from tests.unit.mfp_model.coco_folder import make_coco_folder
from tests.unit.mfp_model.training.short_runs import NETWORK, config_of, rows_of, train_shortly


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["streamed", "recursive"])
def test_a_run_cut_in_two_ends_where_an_uncut_one_does(
    scheme: str, folder: Path, tmp_path: Path
) -> None:
    chances = {"prior_probability": 0.3, "box_probability": 0.3, "paste_probability": 0.3}
    config = config_of(folder, scheme=scheme, **chances)
    train_shortly(config, tmp_path / "whole")
    cut = tmp_path / "cut"
    first = iter([False, False, True])
    assert len(train_shortly(config, cut, should_stop=lambda: next(first))) == 3
    assert load_checkpoint(cut).origin["n_seen"] == 6
    assert [step["n_seen"] for step in train_shortly(config, cut)] == [8]
    expected, weights = load_checkpoint(tmp_path / "whole").weights, load_checkpoint(cut).weights
    for name, tensor in expected.items():
        assert torch.equal(weights[name], tensor), name


@pytest.mark.slow
def test_another_batch_gives_up_the_samples_in_work_and_goes_on(
    folder: Path, tmp_path: Path
) -> None:
    phase = Phase(height=32, width=32, batch=2)
    stop = iter([False, True])
    train_shortly(
        config_of(folder, phases=(phase,)), tmp_path / "n", should_stop=lambda: next(stop)
    )
    wider = config_of(folder, phases=(replace(phase, batch=4),))
    assert [step["n_seen"] for step in train_shortly(wider, tmp_path / "n")] == [8]


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_what_was_saved(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "net.safetensors"
    stop = iter([False, True])
    train_shortly(config_of(folder), out, should_stop=lambda: next(stop))
    before = {path: path.read_bytes() for path in (out, out.with_name("net.safetensors.state"))}
    monkeypatch.setattr("mfp_model.training.loop.learning_rate", lambda config, n_seen: 1e20)
    with pytest.raises(ConfigError, match="gradient is nan after 6 samples"):
        train_shortly(config_of(folder), out)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.slow
def test_a_run_that_goes_on_with_other_data_tells_what_came_before(
    folder: Path, tmp_path: Path
) -> None:
    other = make_coco_folder(tmp_path / "other")
    out, stop = tmp_path / "net", iter([False, True])
    train_shortly(config_of(folder), out, should_stop=lambda: next(stop))
    train_shortly(config_of(folder), out, should_stop=lambda: True)
    assert "earlier" not in load_checkpoint(out).origin
    train_shortly(config_of(folder, folders=((other, 1.0),)), out)
    origin = load_checkpoint(out).origin
    assert ([data["name"] for data in origin["data"]], origin["n_seen"]) == (["other"], 8)
    (before,) = origin["earlier"]
    assert ([data["name"] for data in before["data"]], before["n_seen"]) == ([folder.name], 6)


@pytest.mark.parametrize("n_ranks", [1, 3, 8])
def test_another_number_of_ranks_goes_on_with_samples_that_none_has_drawn(
    n_ranks: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.state"
    run = Run(config_of(folder), NETWORK)
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
        train_shortly(config_of(folder), tmp_path / "net")


@pytest.mark.slow
def test_a_log_that_a_full_disk_left_empty_gets_its_heading(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "net.validation.csv").touch()
    held_out = ((make_coco_folder(tmp_path / "held-out"), 1.0),)
    config = config_of(folder, n_samples=2, max_rounds=1)
    out = tmp_path / "net.safetensors"
    train_shortly(config, out, validation=held_out, n_validation=1, validates_start=True)
    assert [row["n_seen"] for row in rows_of(tmp_path / "net.validation.csv")] == ["0", "2"]


@pytest.mark.slow
def test_a_run_whose_state_was_not_saved_drops_what_its_curves_had(
    folder: Path, tmp_path: Path
) -> None:
    for curve in ("log", "validation"):
        (tmp_path / f"net.{curve}.csv").write_text("epoch,n_seen\n1,2\n9,99\n")
    held_out = ((make_coco_folder(tmp_path / "held-out"), 1.0),)
    config = config_of(folder, n_samples=2, max_rounds=1)
    train_shortly(config, tmp_path / "net.safetensors", validation=held_out, n_validation=1)
    assert [row["n_seen"] for row in rows_of(tmp_path / "net.validation.csv")] == ["2"]
    assert rows_of(tmp_path / "net.log.csv") == []


@pytest.mark.slow
def test_two_ranks_train_the_same_weights(folder: Path, tmp_path: Path) -> None:
    """`torchrun` as a user would call it, on two CPU processes; resumed on a cluster of Ray."""
    out = tmp_path / "net.safetensors"
    python = [sys.executable, "-m"]
    torchrun = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
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
