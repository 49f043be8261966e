"""Images that are learned from and held out at once."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mfp_model.networks.network import NetworkConfig
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.datasets import read_dataset
from mfp_model.training.overlap import shared_images, warn_of_shared
from mfp_model.training.train import TrainingJob, train
from tests.unit.mfp_model.coco_folder import make_coco_folder


def test_a_copy_under_another_name_is_shared_and_another_image_of_that_name_is_not(
    tmp_path: Path,
) -> None:
    learned = read_dataset(make_coco_folder(tmp_path / "learned"))
    copied, other, own = learned
    shutil.copy(copied.path, tmp_path / "copy.png")
    shutil.copy(own.path, tmp_path / other.path.name)
    with (tmp_path / other.path.name).open("ab") as file:
        file.write(b"\0")
    held_out = [
        replace(copied, path=tmp_path / "copy.png"),
        replace(other, path=tmp_path / other.path.name),
    ]

    assert shared_images([learned[1:], learned[:1]], [held_out]) == [tmp_path / "copy.png"]


def test_shared_images_are_counted_in_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = read_dataset(make_coco_folder(tmp_path))
    with caplog.at_level(logging.WARNING):
        warn_of_shared([images[:2]], [images[2:]])
        assert caplog.messages == []
        warn_of_shared([images[:2]], [images[1:], images])
    (message,) = caplog.messages
    assert message.startswith("2 of 3 held-out images are learned from, too, such as 0.png")


def test_a_run_warns_of_what_it_learns_from_and_is_judged_by(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folders = ((make_coco_folder(tmp_path, n_images=1), 1.0),)
    phase = Phase(height=64, width=64, batch=2)
    job = TrainingJob(
        config=TrainingConfig(folders=folders, phases=(phase,), n_samples=2, max_rounds=1),
        network_config=NetworkConfig(backbone="lite2", input_size=64),
        out=tmp_path / "net.safetensors",
        version="net",
        validation=folders,
        n_validation=1,
        n_workers=0,
    )
    train(job, report=lambda step: None)
    assert "1 of 1 held-out images are learned from, too" in caplog.text
