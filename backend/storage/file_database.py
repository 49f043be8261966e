"""A SQLite file as a database of one machine."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Executable, StaticPool, Table, create_engine
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from backend.storage.database import AnyRow, Database, Insert, Step
from backend.storage.errors import StorageError
from backend.storage.sqlite_file import WAIT_S, alone, is_damage, open_database
from backend.storage.sqlite_text import sqlite_text
from backend.storage.tables import Part
from backend.storage.upgrading import prepare_file
from mfp_model.errors import ConfigError

_NOTHING = (-1, -1)  # the identity of no file


class FileDatabase(Database):
    """A SQLite file that processes of one machine share.

    It is begun anew where it turns out damaged, or was removed or replaced by somebody.
    """

    def __init__(self, path: Path | None, part: Part, *, wait_s: float = WAIT_S) -> None:
        """Open the file, or make it; an older one is upgraded.

        Args:
            path: The file; None keeps all in memory, for one process.
            part: What it holds.
            wait_s: How long to wait for another process's write.

        Raises:
            StorageError: It cannot be written.
            ConfigError: A newer version of this program has made it, or a server of an older one
                uses it.
        """
        self._path = path
        self._part = part
        self._wait_s = wait_s
        self._lock = threading.RLock()
        self._n_uses = 0  # of the connection just now, within each other
        self._opened_as: tuple[int, int] | None = None
        self._file, self._connection = self._opened()

    def read(self, statement: Executable, values: Mapping[str, object]) -> Sequence[AnyRow]:
        """Return the rows of a query; damage is met as in `using`."""
        text = sqlite_text(statement)
        with self.using() as connection:
            if text is None:
                return connection.execute(statement, values).fetchall()
            return self._file.execute(text.text, text.values(values)).fetchall()

    def write(self, *steps: Step) -> None:
        """Run statements; damage is met as in `using`."""
        filled = [(statement, rows) for statement, rows in steps if rows]
        is_single = sum(len(rows) for _, rows in filled) == 1
        with self.using() if is_single else self.changing() as connection:
            for statement, rows in filled:
                text = sqlite_text(statement, tuple(rows[0]))
                for row in rows:
                    if text is None:
                        connection.execute(statement, row)
                    else:
                        self._file.execute(text.text, text.values(row))

    @contextmanager
    def using(self) -> Iterator[Connection]:
        """Give the connection to one thread at a time.

        What meets damage fails, and what comes after it uses a new file.
        """
        with self._lock, self._watching():
            yield self._connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give the connection as `using` does: rows come one at a time anyway."""
        with self.using() as connection:
            yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Give the connection while no other process can open the file.

        Raises:
            ConfigError: Another process uses it.
        """
        with self._lock, self._watching(), alone(self._file, str(self._path)):
            yield self._connection

    @contextmanager
    def changing(self, lock: str = "", *, limit_s: float | None = None) -> Iterator[Connection]:
        """Give the connection to one thread of one process at a time."""
        with self._lock, self._watching():
            file = self._file
            file.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                file.rollback()  # nothing where a full disk has ended it already
                raise
            file.execute("COMMIT")

    def insert(self, table: Table) -> Insert:
        """Return SQLite's insertion."""
        return sqlite.insert(table)

    def file_bytes(self) -> int | None:
        """Return the bytes in use, not those that are free again."""
        with self.using():
            pages, free, size = (
                int(self._file.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
        return (pages - free) * size

    @contextmanager
    def _watching(self) -> Iterator[None]:
        try:
            if self._n_uses == 0 and self._is_another():
                self._change_file()
            self._n_uses += 1
            try:
                yield
            finally:
                self._n_uses -= 1
        except (DBAPIError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if self._path is not None and is_damage(cause):
                self._file, self._connection = self._opened()
            raise StorageError(f"{self._path or 'memory'}: {cause}") from error

    def _is_another(self) -> bool:
        """Whether another file lies there than was opened, or none; not where its folder is gone.

        What was moved with its folder is used until somebody makes the folder anew.
        """
        path = self._path
        if path is None or self._opened_as == _NOTHING:
            return path is not None
        return _identity(path) != self._opened_as and path.parent.is_dir()

    def _change_file(self) -> None:
        """Use the file that lies there now; where that fails the next use tries again."""
        self._file.close()  # first: the disk has room for another one only then
        self._opened_as = _NOTHING
        try:
            self._file, self._connection = self._opened()
        except ConfigError as error:  # refused at a start, which this is not
            raise StorageError(str(error)) from None

    def _opened(self) -> tuple[sqlite3.Connection, Connection]:
        """The file as SQLite's driver gives it, and as SQLAlchemy does."""
        opened_as: tuple[int, int] | None = None

        def prepare(database: sqlite3.Connection) -> None:
            nonlocal opened_as
            prepare_file(database, self._part.tables, str(self._path))
            opened_as = _identity(self._path)  # nobody else sets it aside just now

        try:
            file = open_database(
                self,
                self._path,
                prepare,
                synchronous=self._part.synchronous,
                wait_s=self._wait_s,
            )
        except (sqlite3.Error, DBAPIError, OSError) as error:
            cause = getattr(error, "orig", error)
            raise StorageError(f"{self._path}: {cause}") from error
        self._opened_as = opened_as
        engine = create_engine(
            "sqlite://",
            creator=lambda: file,
            poolclass=StaticPool,
            pool_reset_on_return=None,
            isolation_level="AUTOCOMMIT",  # transactions are begun by name
        )
        return file, engine.connect()


def _identity(path: Path | None) -> tuple[int, int] | None:
    """What another file of this name does not have; None where there is none, or in memory."""
    try:
        state = os.stat(path or "")
    except OSError:
        return None
    return state.st_dev, state.st_ino
