"""SQLite files that all workers of a server read and write.

A damaged file is set aside under another name, where somebody may look at it, and begun anew:
what is in these files is worth less than answers.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)
_WAIT_S = 5.0  # for another process's write
_DAMAGED = ".damaged-"
_SIDE_FILES = ("", "-wal", "-shm")
_NO_FORMAT = "unsupported file format"  # a damaged header, for which there is no code
_CHECKED_BYTES = 500_000_000  # checking a larger file takes too long at a start


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
        path: The file, made where it is missing and begun anew where it is damaged; None for one
            in memory, for one process.
        schema: Statements that make its tables where they are missing.
        synchronous: `OFF` for what may be lost with the machine's power, else `NORMAL` or `FULL`.
        wait_s: How long to wait for another process's write.

    Raises:
        sqlite3.Error: It cannot be written.
    """

    def opened() -> sqlite3.Connection:
        return _opened(path, schema, synchronous, wait_s)

    if path is None:
        database = opened()
    else:
        with _locked(path):
            try:
                database = opened()
            except sqlite3.DatabaseError as error:
                if not is_damage(error) and not _is_no_file(path):
                    raise
                _rename(path, error)
                database = opened()
    weakref.finalize(owner, database.close)
    return database


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file is no sound database."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest tells where
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or str(error) == _NO_FORMAT


class SharedFile:
    """A connection for all threads of a process, made anew where the file turns out damaged."""

    def __init__(
        self, path: Path | None, schema: str, *, synchronous: str = "OFF", wait_s: float = _WAIT_S
    ) -> None:
        """Open the file; arguments and errors as of `open_database`."""
        self._path = path
        self._schema = schema
        self._options: dict[str, Any] = {"synchronous": synchronous, "wait_s": wait_s}
        self._lock = threading.Lock()
        self._database = open_database(self, path, schema, **self._options)

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to one thread at a time.

        What meets damage fails, and what comes after it uses a new file.
        """
        with self._lock:
            try:
                yield self._database
            except sqlite3.DatabaseError as error:
                if self._path is not None and is_damage(error):
                    self._database = open_database(self, self._path, self._schema, **self._options)
                raise


def damaged_files(folder: Path) -> list[Path]:
    """Return what was set aside in a folder, oldest first."""
    return sorted(folder.glob(f"*{_DAMAGED}[0-9]*[0-9]"))


def _opened(path: Path | None, schema: str, synchronous: str, wait_s: float) -> sqlite3.Connection:
    database = sqlite3.connect(
        path or ":memory:", check_same_thread=False, isolation_level=None, timeout=wait_s
    )
    try:
        if path is not None:
            path.chmod(0o600)  # before SQLite makes its side files, which get the same rights
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {synchronous}")
        if path is not None and path.stat().st_size <= _CHECKED_BYTES:
            _check(database)
        database.executescript(schema)
        _check_columns(database, schema)
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection) -> None:
    """Look at all pages: damage in the middle shows only when it is read."""
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        error = sqlite3.DatabaseError(str(verdict))
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _check_columns(database: sqlite3.Connection, schema: str) -> None:
    """Look whether the tables are those of the schema: a foreign file fails only at its use."""
    fresh = sqlite3.connect(":memory:")
    try:
        fresh.executescript(schema)
        for table, columns in _columns(fresh).items():
            lacking = columns - _columns(database).get(table, set())
            if lacking:
                error = sqlite3.DatabaseError(f"table {table} lacks {', '.join(sorted(lacking))}")
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error
    finally:
        fresh.close()


def _columns(database: sqlite3.Connection) -> dict[str, set[str]]:
    """The columns of each table."""
    rows = database.execute(
        "SELECT tables.name, columns.name FROM sqlite_master AS tables"
        " JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'"
    )
    columns: dict[str, set[str]] = {}
    for table, column in rows:
        columns.setdefault(table, set()).add(column)
    return columns


def _is_no_file(path: Path) -> bool:
    """Whether something lies there that can be no database: a folder, a link to nothing."""
    return os.path.lexists(path) and not path.is_file()


def _rename(path: Path, error: sqlite3.Error) -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for side in _SIDE_FILES:
        file = path.with_name(path.name + side)
        if os.path.lexists(file):
            file.rename(path.with_name(f"{path.name}{_DAMAGED}{stamp}{side}"))
    _log.error("%s is damaged (%s): set aside as %s%s", path, error, path.name + _DAMAGED, stamp)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time opens, so that none sets aside what another has just begun."""
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
