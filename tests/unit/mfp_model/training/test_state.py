"""What a run that was cut goes on from, with other values than before."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from mfp_model.checkpoints.checkpoint import load_checkpoint
from mfp_model.errors import CheckpointError, ImageError
from mfp_model.networks.network import NetworkConfig
from mfp_model.training import train as train_module
from mfp_model.training.job import TrainingJob
from mfp_model.training.train import train
from mfp_model.training.validation import HeldOut, Validation
from tests.unit.mfp_model.training.short_runs import job_of_one_step


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    return job_of_one_step(tmp_path)


@pytest.mark.slow
def test_the_best_weights_are_chosen_anew_where_other_samples_judge(
    job: TrainingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9, 0.4, 0.5, 0.3])

    def validate(network: object, held_out: HeldOut) -> Validation:
        return replace(actual(network, held_out), miou_at=(next(scores),))  # type: ignore[arg-type]

    actual = train_module.validate
    monkeypatch.setattr(train_module, "validate", validate)
    n_seen = []
    for n_samples, n_validation in ((2, 1), (4, 1), (6, 2), (8, 2)):
        config = replace(job.config, n_samples=n_samples)
        run = replace(job, config=config, n_validation=n_validation, epoch_samples=8)
        train(run, report=lambda step: None)
        n_seen.append(load_checkpoint(job.out).origin["n_seen"])

    assert n_seen == [2, 2, 6, 6]


@pytest.mark.slow
def test_the_state_of_another_network_is_refused_in_a_line(job: TrainingJob) -> None:
    run = replace(job, validation=())
    train(run, report=lambda step: None)
    other = replace(run, network_config=NetworkConfig(backbone="resnet34", input_size=32))
    with pytest.raises(CheckpointError, match=r"cannot be resumed \(tensors missing") as refused:
        train(other, report=lambda step: None)
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 1000


@pytest.mark.slow
def test_a_discriminator_may_join_later_and_a_run_that_is_done_says_so(
    job: TrainingJob, caplog: pytest.LogCaptureFixture
) -> None:
    run = replace(job, validation=())
    train(run, report=lambda step: None)
    with caplog.at_level(logging.INFO):
        train(run, report=lambda step: None)
    assert "net.safetensors.state: 2 samples are learned from already" in caplog.text
    joined = replace(run.config, n_samples=4, adversarial_weight=0.1)
    train(replace(run, config=joined), report=lambda step: None)
    assert load_checkpoint(run.out).origin["n_seen"] == 4


@pytest.mark.slow
def test_an_image_that_goes_away_is_named_in_a_line(job: TrainingJob) -> None:
    config = replace(job.config, n_samples=400)
    (image,) = (job.config.folders[0][0] / "images").iterdir()
    run = replace(job, config=config, validation=(), n_workers=1)
    with pytest.raises(ImageError) as refused:
        train(run, report=lambda step: image.unlink(missing_ok=True))
    assert str(refused.value) == f"no such file: {image}"
