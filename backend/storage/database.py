"""SQLite files that all workers of a server read and write."""

from __future__ import annotations

import sqlite3
import weakref
from pathlib import Path

_WAIT_S = 5.0  # for another process's write


def open_database(
    owner: object,
    path: Path | None,
    schema: str,
    *,
    synchronous: str = "OFF",
    wait_s: float = _WAIT_S,
) -> sqlite3.Connection:
    """Return a connection without implicit transactions, for any thread that locks.

    Args:
        owner: What the connection is closed with.
        path: The file, made where it is missing; None for one in memory, for one process.
        schema: Statements that make its tables where they are missing.
        synchronous: `OFF` for what may be lost with the machine's power, else `NORMAL` or `FULL`.
        wait_s: How long to wait for another process's write.

    Raises:
        sqlite3.Error: It cannot be written.
    """
    database = sqlite3.connect(
        path or ":memory:", check_same_thread=False, isolation_level=None, timeout=wait_s
    )
    weakref.finalize(owner, database.close)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA synchronous = {synchronous}")
    database.executescript(schema)
    return database
