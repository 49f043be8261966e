"""Images that are learned from and held out at once."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.datasets import read_dataset
from mfp_model.training.overlap import learned_apart, shared_images
from mfp_model.training.samples import ClickSamples, SampleSource
from mfp_model.training.train import train
from tests.unit.mfp_model.coco_folder import make_coco_folder
from tests.unit.mfp_model.training.short_runs import job_of_one_step

_PHASE = Phase(height=64, width=64, batch=2)


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

    assert shared_images([learned[1:], learned[:1]], [held_out]) == {copied.path}


def test_what_is_held_out_can_be_left_out_of_what_is_learned_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own, copies = (make_coco_folder(tmp_path / name, n_images=2) for name in ("own", "copies"))
    config = TrainingConfig(
        folders=((own, 1.0), (copies, 3.0)), phases=(_PHASE,), n_samples=2, min_object_px=1
    )
    learned = SampleSource.read(config)
    held_out = SampleSource.read(replace(config, folders=((copies, 1.0),)))
    (own / "images" / "0.png").write_bytes((own / "images" / "0.png").read_bytes() + b"\0")

    with caplog.at_level(logging.WARNING):
        left = learned_apart(learned, held_out, leaves_out=True)

    assert [[image.path.name for image in images] for images in left.folders] == [["0.png"], []]
    assert left.probabilities.tolist() == [1, 0]
    ClickSamples(left, config, _PHASE)[0]
    (message,) = caplog.messages
    assert message.startswith("3 images to learn from are held out, too, such as 0.png")
    assert learned_apart(left, held_out, leaves_out=True) is left


@pytest.mark.slow
def test_a_run_warns_of_what_it_learns_from_and_is_judged_by(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(job_of_one_step(tmp_path), report=lambda step: None)
    assert "1 images to learn from are held out, too" in caplog.text
