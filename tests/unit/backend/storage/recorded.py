"""What machines share, to try with: an answer, and a version that serves."""

from __future__ import annotations

from pathlib import Path

from backend.models.registry import model_registry
from backend.recording.store import AnswerRow
from backend.storage.shared_state import SharedState


def answer(number: int) -> AnswerRow:
    return AnswerRow(
        at=float(number),
        project="3",
        task="7",
        image="/a.png",
        width=6,
        height=4,
        label=None,
        version="v1",
        points=[f"p{number}"],
        clicks=[[1.5, 2.0, 1]],
        regions=[f"r{number}", "both"],
        prior=None,
        answer=bytes([number % 251]) * 2000,
    )


def promote(state: SharedState, tmp_path: Path, version: str, project: str) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"w")
    registry = model_registry(state)
    registry.add(version, weights, tmp_path / "none", {})
    registry.promote(version, project=project)
