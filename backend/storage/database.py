"""A database, whether it is a file of one machine or a server of several.

Statements are SQLAlchemy's, for both alike. What a database cannot do just now is a `StorageError`.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, StaticPool, Table, create_engine, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from backend.storage.errors import StorageError
from backend.storage.sqlite_file import WAIT_S, is_damage, open_database
from backend.storage.tables import Part
from backend.storage.upgrading import prepare_file

Insert = sqlite.Insert | postgresql.Insert


class Database(ABC):
    """Any thread may use it."""

    @abstractmethod
    @contextmanager
    def using(self) -> Iterator[Connection]:
        """Give a connection on which each statement stands for itself.

        Raises:
            StorageError: The database cannot be used just now.
        """

    @abstractmethod
    @contextmanager
    def changing(self, lock: str = "") -> Iterator[Connection]:
        """Give a connection on which all happens or nothing.

        Args:
            lock: Whoever names the same waits for its turn.

        Raises:
            StorageError: The database cannot be used just now.
        """

    @abstractmethod
    def insert(self, table: Table) -> Insert:
        """Return an insertion that can say what to do about a row that is there."""

    @abstractmethod
    def file_bytes(self) -> int | None:
        """Return the bytes in use where it is a file of its own, else None."""


class FileDatabase(Database):
    """A SQLite file that processes of one machine share; begun anew where it turns out damaged."""

    def __init__(self, path: Path | None, part: Part, *, wait_s: float = WAIT_S) -> None:
        """Open the file, or make it; an older one is upgraded.

        Args:
            path: The file; None keeps all in memory, for one process.
            part: What it holds.
            wait_s: How long to wait for another process's write.

        Raises:
            StorageError: It cannot be written.
            ConfigError: A newer version of this program has made it.
        """
        self._path = path
        self._part = part
        self._wait_s = wait_s
        self._lock = threading.RLock()
        self._connection = self._opened()

    @contextmanager
    def using(self) -> Iterator[Connection]:
        """Give the connection to one thread at a time.

        What meets damage fails, and what comes after it uses a new file.
        """
        with self._lock, self._watching():
            yield self._connection

    @contextmanager
    def changing(self, lock: str = "") -> Iterator[Connection]:
        """Give the connection to one thread of one process at a time."""
        with self._lock, self._watching():
            connection = self._connection
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def insert(self, table: Table) -> Insert:
        """Return SQLite's insertion."""
        return sqlite.insert(table)

    def file_bytes(self) -> int | None:
        """Return the bytes in use, not those that are free again."""
        with self.using() as connection:
            pages, free, size = (
                int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
                for name in ("page_count", "freelist_count", "page_size")
            )
        return (pages - free) * size

    @contextmanager
    def _watching(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if self._path is not None and is_damage(error.orig):
                self._connection = self._opened()
            raise StorageError(f"{self._path or 'memory'}: {error.orig}") from error

    def _opened(self) -> Connection:
        def prepare(database: sqlite3.Connection) -> None:
            prepare_file(database, self._part.tables, str(self._path))

        try:
            database = open_database(
                self,
                self._path,
                prepare,
                synchronous=self._part.synchronous,
                wait_s=self._wait_s,
            )
        except (sqlite3.Error, DBAPIError) as error:
            cause = getattr(error, "orig", error)
            raise StorageError(f"{self._path}: {cause}") from error
        engine = create_engine(
            "sqlite://",
            creator=lambda: database,
            poolclass=StaticPool,
            pool_reset_on_return=None,
            isolation_level="AUTOCOMMIT",  # transactions are begun by name
        )
        return engine.connect()


class ServerDatabase(Database):
    """A PostgreSQL database, which processes of several machines share."""

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        """Prepare; it connects when it is first used.

        Args:
            url: `postgresql://user:password@host:port/name`.
            timeout_s: How long one statement may take, or a connection to be made.
        """
        self._engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=True,  # after the server was restarted, nothing is lost
            connect_args={
                "connect_timeout": max(2, round(timeout_s)),  # less is not allowed
                "options": f"-c statement_timeout={round(1000 * timeout_s)}",
            },
        )
        weakref.finalize(self, self._engine.dispose)
        self._changes = self._engine.execution_options(isolation_level="READ COMMITTED")

    @contextmanager
    def using(self) -> Iterator[Connection]:
        """Give a connection."""
        with _telling(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def changing(self, lock: str = "") -> Iterator[Connection]:
        """Give a connection in a transaction; a lock ends with it."""
        with _telling(), self._changes.begin() as connection:
            if lock:
                connection.exec_driver_sql(
                    "SELECT pg_advisory_xact_lock(hashtext(%s))", (f"mfp {lock}",)
                )
            yield connection

    def insert(self, table: Table) -> Insert:
        """Return PostgreSQL's insertion."""
        return postgresql.insert(table)

    def file_bytes(self) -> int | None:
        """Return None: its files hold more than one part."""
        return None


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise StorageError(f"MFP_DATABASE_URL: {' '.join(str(cause).split())}") from error
