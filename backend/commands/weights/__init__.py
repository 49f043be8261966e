"""`mfp weights`: weights that others publish."""

from __future__ import annotations

from backend.commands.parsing import Commands
from backend.commands.weights import check, convert, fetch


def add(commands: Commands) -> None:
    """Add the commands."""
    group = commands.group("weights", "get, convert and check weights that others publish")
    for command in (fetch, convert, check):
        command.add(group)
