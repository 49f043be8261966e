"""SQLite files that all workers of a server read and write.

A damaged file is set aside under another name, where somebody may look at it, and begun anew:
what is in these files is worth less than answers.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from backend.storage.locks import locked
from mfp_model.errors import ConfigError

_log = logging.getLogger(__name__)
WAIT_S = 5.0  # for another process's write
_DAMAGED = ".damaged-"
_SIDE_FILES = ("", "-wal", "-shm")
_NO_FORMAT = "unsupported file format"  # a damaged header, for which there is no code
_CHECKED_BYTES = 500_000_000  # checking a larger file takes too long at a start

Prepare = Callable[[sqlite3.Connection], object]


def open_database(
    owner: object,
    path: Path | None,
    prepare: Prepare,
    *,
    synchronous: str = "OFF",
    wait_s: float = WAIT_S,
) -> sqlite3.Connection:
    """Return a connection without implicit transactions, for any thread that locks.

    Args:
        owner: What the connection is closed with.
        path: The file, made where it is missing and begun anew where it is damaged; None for one
            in memory, for one process.
        prepare: Makes its tables where they are missing; by one process at a time.
        synchronous: `OFF` for what may be lost with the machine's power, else `NORMAL` or `FULL`.
        wait_s: How long to wait for another process's write.

    Raises:
        sqlite3.Error: It cannot be written.
    """

    def opened() -> sqlite3.Connection:
        return _opened(path, prepare, synchronous, wait_s)

    if path is None:
        database = opened()
    else:
        with _locked(path):
            if not os.path.lexists(path):  # what lies beside it is of one that was removed
                for side in _SIDE_FILES:
                    path.with_name(path.name + side).unlink(missing_ok=True)
            try:
                database = opened()
            except sqlite3.DatabaseError as error:
                if not is_damage(error) and not _is_no_file(path):
                    raise
                _rename(path, error)
                database = opened()
    weakref.finalize(owner, database.close)
    return database


@contextmanager
def alone(database: sqlite3.Connection, name: str) -> Iterator[None]:
    """Keep all other processes from a file while the context lasts.

    Args:
        database: The file, in no transaction.
        name: The file's, for the message.

    Raises:
        ConfigError: Another process has it open.
    """
    try:
        try:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA journal_mode = DELETE")  # refused while others have it open
            database.execute("BEGIN EXCLUSIVE")
            database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise ConfigError(
                f"{name}: in use ({error}); stop the servers and workers that use this folder, "
                "then try again"
            ) from None
        yield
    finally:
        database.execute("PRAGMA locking_mode = NORMAL")
        database.execute("PRAGMA journal_mode = WAL")


def is_damage(error: BaseException | None) -> bool:
    """Return whether an error says that the file is no sound database."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest tells where
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or str(error) == _NO_FORMAT


def of_schema(schema: str) -> Prepare:
    """Return what makes tables by statements of SQL, and refuses a foreign file's as damage."""

    def prepare(database: sqlite3.Connection) -> None:
        try:
            database.executescript(schema)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # an index over a column it lacks
                raise damage(str(error)) from error
            raise
        fresh = sqlite3.connect(":memory:")
        try:
            fresh.executescript(schema)
            check_columns(database, _columns(fresh))
        finally:
            fresh.close()

    return prepare


def check_columns(database: sqlite3.Connection, wanted: Mapping[str, set[str]]) -> None:
    """Look whether the tables have their columns: a foreign file fails only at its use.

    Args:
        database: The file.
        wanted: The columns of each table.

    Raises:
        sqlite3.DatabaseError: A table lacks one, which is damage.
    """
    there = _columns(database)
    for table, columns in wanted.items():
        lacking = columns - there.get(table, set())
        if lacking:
            raise damage(f"table {table} lacks {', '.join(sorted(lacking))}")


def damage(what: str) -> sqlite3.DatabaseError:
    """Return the error that says that a file is no sound database."""
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def damaged_files(folder: Path) -> list[Path]:
    """Return what was set aside in a folder, oldest first."""
    return sorted(folder.glob(f"*{_DAMAGED}[0-9]*[0-9]"))


def _opened(
    path: Path | None, prepare: Prepare, synchronous: str, wait_s: float
) -> sqlite3.Connection:
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
        prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection) -> None:
    """Look at all pages: damage in the middle shows only when it is read."""
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise damage(str(verdict))


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


def _locked(path: Path) -> AbstractContextManager[None]:
    """One process at a time opens, so that none sets aside what another has just begun."""
    return locked(path.with_name(f".{path.name}.lock"))
