"""A PostgreSQL database, which processes of several machines share."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, Executable, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from backend.storage.database import AnyRow, Database, Insert, Step
from backend.storage.errors import StorageError

if TYPE_CHECKING:
    from backend.storage.watched_connection import WatchedConnection

N_CONNECTIONS = 5  # of one process at most
_RESTS = 4  # times what a connection took that could not be made
_SLACK_S = 1.0  # in which the server can tell that a statement took too long
_IDLE_S = 60.0  # after which a machine that went away in a transaction loses its locks
_NAME = "MFP_DATABASE_URL"


class ServerDatabase(Database):
    """A PostgreSQL database, which processes of several machines share.

    While it cannot be reached, what needs it fails, most of it at once: a click waits for one
    connection that cannot be made, or of which nothing is heard, and not for each.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        """Prepare; it connects when it is first used.

        Args:
            url: `postgresql://user:password@host:port/name`.
            timeout_s: How long one statement may take, or a connection to be made.
        """
        self._engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            pool_size=N_CONNECTIONS,
            max_overflow=0,
            pool_timeout=timeout_s,
            pool_pre_ping=True,  # after the server was restarted, nothing is lost
            connect_args={
                "client_encoding": "utf8",  # text is bytes of a database without an encoding, else
                "connect_timeout": max(2, round(timeout_s)),  # less is not allowed
                "tcp_user_timeout": round(1000 * timeout_s),  # of a machine that went away
                "options": f"-c statement_timeout={round(1000 * timeout_s)} "
                f"-c idle_in_transaction_session_timeout={round(1000 * _IDLE_S)}",
            },
        )
        weakref.finalize(self, self._engine.dispose)
        self._changes = self._engine.execution_options(isolation_level="READ COMMITTED")
        self._rest = _Rest()
        _watch(self._engine, timeout_s + _SLACK_S, self._rest)

    def read(self, statement: Executable, values: Mapping[str, object]) -> Sequence[AnyRow]:
        """Return the rows of a query."""
        with self.using() as connection:
            return connection.execute(statement, values).fetchall()

    def write(self, *steps: Step) -> None:
        """Run statements, in a transaction where they are several."""
        filled = [(statement, rows) for statement, rows in steps if rows]
        is_single = sum(len(rows) for _, rows in filled) == 1
        with self.using() if is_single else self.changing() as connection:
            for statement, rows in filled:
                connection.execute(statement, [dict(row) for row in rows])

    @contextmanager
    def using(self) -> Iterator[Connection]:
        """Give a connection."""
        with _telling(), self._connected(self._engine) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a transaction, where the server keeps what was not fetched yet."""
        with self.changing() as connection:
            yield connection

    @contextmanager
    def changing(self, lock: str = "", *, limit_s: float | None = None) -> Iterator[Connection]:
        """Give a connection in a transaction; a lock ends with it."""
        with (
            _telling(),
            self._connected(self._changes) as connection,
            _patient(connection, limit_s),
            connection.begin(),
        ):
            if limit_s is not None:
                for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                    connection.exec_driver_sql(f"SET LOCAL {name} = {round(1000 * limit_s)}")
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

    def _connected(self, engine: Engine) -> Connection:
        """A connection; after one that could not be made the next are refused for a while."""
        began = time.monotonic()
        if self._rest.lasts:
            raise StorageError(f"{_NAME}: away; it is tried again within half a minute")
        try:
            return engine.connect()
        except DBAPIError:  # and not where others have all connections
            self._rest.begin(time.monotonic() - began)
            raise


class _Rest:
    """While it lasts, a server that does not answer is not asked."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def lasts(self) -> bool:
        return time.monotonic() < self._until

    def begin(self, waited_s: float) -> None:
        """Begin one, for it was waited for the server so long."""
        self._until = time.monotonic() + _RESTS * waited_s


def _watch(engine: Engine, silence_s: float, rest: _Rest) -> None:
    """Have connections of which nothing is heard given up, and no others made just then."""
    from backend.storage.watched_connection import SilentServerError, WatchedConnection

    @event.listens_for(engine, "do_connect")
    def connect(dialect: object, record: object, words: Any, names: Any) -> WatchedConnection:  # noqa: ANN401
        if rest.lasts:
            raise SilentServerError
        connection = WatchedConnection.connect(*words, **names)
        connection.silence_s = silence_s
        connection.on_silence = lambda: rest.begin(silence_s)
        return connection


@contextmanager
def _patient(connection: Connection, limit_s: float | None) -> Iterator[None]:
    """Let a connection's statements take longer where that was asked for."""
    watched: Any = connection.connection.driver_connection
    before = watched.silence_s
    watched.silence_s = before if limit_s is None else limit_s + _SLACK_S
    try:
        yield
    finally:
        watched.silence_s = before


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise StorageError(f"{_NAME}: {' '.join(str(cause).split())}") from error
