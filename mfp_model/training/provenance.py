"""Where weights come from: data, procedure, code. Written into every checkpoint."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mfp_model.training.config import TrainingConfig
from mfp_model.training.samples import SampleSource


def origin(config: TrainingConfig, source: SampleSource) -> dict[str, Any]:
    """Return all that is known of a run before it starts, as JSON can hold it.

    Folders appear by name only: where they lie is nobody's business.
    """
    weights = [(root.name, weight) for root, weight in config.folders]
    training = {**asdict(config), "folders": weights}
    data = data_of(config, source)
    return {"data": data, "training": training, "torch": torch.__version__, "git": _git_state()}


def data_of(config: TrainingConfig, source: SampleSource) -> list[dict[str, Any]]:
    """Return each data set's name, images, objects and share of what is drawn."""
    return [
        {
            "name": root.name,
            "images": len(images),
            "objects": sum(len(image.objects) for image in images),
            "share": round(float(probability), 4),
        }
        for (root, _), images, probability in zip(
            config.folders, source.folders, source.probabilities, strict=True
        )
    ]


def _git_state() -> dict[str, Any] | None:
    """Commit, and whether the code differs from it; None outside a repository."""
    folder = Path(__file__).parent
    answers = []
    for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "--", "."]):
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode:
            return None
        answers.append(done.stdout.strip())
    commit, changes = answers
    return {"commit": commit, "changed": bool(changes)}
