"""`mfp coco`: masks of a project as COCO, and back."""

from __future__ import annotations

from backend.commands.coco import export, import_, masks
from backend.commands.parsing import Commands


def add(commands: Commands) -> None:
    """Add the commands."""
    group = commands.group("coco", "masks of a project as COCO, and back")
    for command in (export, import_, masks):
        command.add(group)
