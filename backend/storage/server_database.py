"""A PostgreSQL database, which processes of several machines share."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Executable, Table, create_engine, make_url
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError

from backend.storage.database import AnyRow, Database, Insert, Step
from backend.storage.errors import StorageError


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

    def read(self, statement: Executable, values: Mapping[str, object]) -> Sequence[AnyRow]:
        """Return the rows of a query."""
        with self.using() as connection:
            return connection.execute(statement, values).fetchall()

    def write(self, *steps: Step) -> None:
        """Run statements, in a transaction where they are several."""
        is_one = sum(len(rows) for _, rows in steps) == 1
        with self.using() if is_one else self.changing() as connection:
            for statement, rows in steps:
                connection.execute(statement, [dict(row) for row in rows])

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
