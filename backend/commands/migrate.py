"""`mfp migrate`: brings what is kept to this version's state, and into a database."""

from __future__ import annotations

import argparse

from backend.commands.parsing import Commands, add_json
from backend.commands.printing import facts, show


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "migrate",
        "upgrade the data folder, or move it into database and bucket",
        _migrate,
    )
    add_json(parser)


def _migrate(options: argparse.Namespace) -> None:
    from backend.storage.data_folder import DataFolder
    from backend.storage.moved_versions import move_versions
    from backend.storage.moving import move, upgrade_files, upgrade_server
    from backend.storage.shared_state import open_bucket, open_server
    from backend.storage.upgrading import NEWEST

    settings = options.settings
    data = DataFolder(settings.data_dir)
    bucket = open_bucket(settings.bucket_url, settings.database_url)
    if not settings.database_url:
        files = [path.name for path in upgrade_files(data)]
        lines = [f"{name}: state {NEWEST}" for name in files]
        empty = f"{data.root}: nothing to upgrade"
        show(options, {"state": NEWEST, "files": files}, lines or [empty])
        return
    server = open_server(settings.database_url)
    before = upgrade_server(server)
    moved = move(data, server)
    versions = move_versions(data, bucket) if bucket else []
    report = {"state_before": before, "state": NEWEST, "moved": moved, "versions": versions}
    words = [f"database: state {before or 'empty'} -> {NEWEST}"]
    rows = [f"moved from {data.root}: {line}" for line in facts(moved)]
    rows += [f"moved into {settings.bucket_url}: {name}" for name in versions]
    show(options, report, [*words, *(rows or [f"{data.root}: nothing to move"])])
