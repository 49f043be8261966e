"""`mfp evaluate`: how many clicks it takes, and what else there is to measure."""

from __future__ import annotations

from backend.commands.evaluate import ablation, alike, behind, boxes, clicks, edits, sessions
from backend.commands.parsing import Commands


def add(commands: Commands) -> None:
    """Add the commands."""
    group = commands.group("evaluate", "measure segmenters on labelled or recorded objects")
    for command in (clicks, boxes, edits, sessions, behind, alike, ablation):
        command.add(group)
