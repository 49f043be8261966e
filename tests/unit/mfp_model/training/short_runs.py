"""Short training runs on a folder of few images."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mfp_model.networks.network import NetworkConfig
from mfp_model.training.config import Phase, TrainingConfig
from mfp_model.training.job import TrainingJob
from mfp_model.training.train import train
from tests.unit.mfp_model.coco_folder import make_coco_folder

NETWORK = NetworkConfig(input_size=64)


NO_CLICKS = torch.zeros(1, 1, 3)


def config_of(folder: Path, **changes: object) -> TrainingConfig:
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


def train_shortly(
    config: TrainingConfig,
    out: Path,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    **changes: Any,  # noqa: ANN401
) -> list[dict[str, float]]:
    steps: list[dict[str, float]] = []
    values = {"config": config, "network_config": NETWORK, "out": out, "version": "t"}
    job = TrainingJob(**{**values, "n_workers": 0, **changes})
    train(job, report=lambda step: steps.append(dict(step)), should_stop=should_stop)
    return steps


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def job_of_one_step(root: Path) -> TrainingJob:
    """A run of one step, judged by one sample of the image that it learns from."""
    folders = ((make_coco_folder(root / "coco", n_images=1), 1.0),)
    phase = Phase(height=32, width=32, batch=2)
    return TrainingJob(
        config=TrainingConfig(folders=folders, phases=(phase,), n_samples=2, max_rounds=1),
        network_config=NetworkConfig(backbone="lite2", input_size=32),
        out=root / "net.safetensors",
        version="net",
        validation=folders,
        n_validation=1,
        n_workers=0,
    )
