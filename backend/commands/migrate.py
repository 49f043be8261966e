"""`mfp migrate`: brings what is kept to this version's state, and into a database."""

from __future__ import annotations

import argparse

from backend.commands.parsing import Commands, add_json
from backend.commands.printing import facts, show


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "migrate", "upgrade the data folder, or move it into MFP_DATABASE_URL", _migrate
    )
    add_json(parser)


def _migrate(options: argparse.Namespace) -> None:
    from backend.storage.data_folder import DataFolder
    from backend.storage.moving import move, upgrade_files, upgrade_server
    from backend.storage.shared_state import open_server
    from backend.storage.upgrading import NEWEST

    settings = options.settings
    data = DataFolder(settings.data_dir)
    if not settings.database_url:
        files = [path.name for path in upgrade_files(data)]
        lines = [f"{name}: state {NEWEST}" for name in files]
        empty = f"{data.root}: nothing to upgrade"
        show(options, {"state": NEWEST, "files": files}, lines or [empty])
        return
    server = open_server(settings.database_url)
    before = upgrade_server(server)
    moved = move(data, server)
    report = {"state_before": before, "state": NEWEST, "moved": moved}
    words = [f"database: state {before or 'empty'} -> {NEWEST}"]
    rows = [f"moved from {data.root}: {line}" for line in facts(moved)]
    show(options, report, [*words, *(rows or [f"{data.root}: nothing to move"])])
