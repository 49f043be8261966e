"""Which state of the tables a database has, and how it gets to today's.

A new database is made as the tables are today. An older one goes through the steps of `history`,
all or none. One that a newer version of this program has made is refused.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    StaticPool,
    Table,
    Text,
    create_engine,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError

from backend.storage.sqlite_file import alone, check_columns, damage
from backend.storage.tables import TABLES
from mfp_model.errors import ConfigError

_log = logging.getLogger(__name__)
OLDEST, NEWEST = "0001", "0002"  # files of the oldest state do not tell it
_HISTORY = Path(__file__).with_name("history")
_MARK = Table("mfp_state", MetaData(), Column("version_num", Text, primary_key=True))


def prepare_file(database: sqlite3.Connection, tables: Sequence[Table], name: str) -> None:
    """Bring a SQLite file to today's state.

    Args:
        database: Without implicit transactions.
        tables: What it holds.
        name: The file's, for messages.

    Raises:
        ConfigError: A newer version of this program has made it, or a server of an older one
            uses it.
        sqlite3.DatabaseError: It is another program's, which is damage.
    """
    columns = {table.name: set(table.columns.keys()) for table in tables}
    if _state_in(database) == NEWEST:
        check_columns(database, columns)
        return
    engine = create_engine(
        "sqlite://", creator=lambda: database, poolclass=StaticPool, pool_reset_on_return=None
    )
    with engine.connect() as connection, _by_itself(connection, tables, database, name):
        database.execute("BEGIN IMMEDIATE")
        try:
            upgrade(connection, tables, name)
            check_columns(database, columns)
        except BaseException as error:
            database.rollback()  # nothing where a full disk has ended it already
            if isinstance(error, DBAPIError) and _is_of_form(error.orig):
                raise damage(str(error.orig)) from error
            raise
        database.execute("COMMIT")


def _by_itself(
    connection: Connection, tables: Sequence[Table], database: sqlite3.Connection, name: str
) -> AbstractContextManager[None]:
    """Keeps others from an older file: a server of the older version would go on writing it."""
    is_older = state(connection, tables, name) == OLDEST
    return alone(database, name) if is_older else nullcontext()


def _is_of_form(error: BaseException | None) -> bool:
    """Whether a step failed since the tables are of another form than it expects."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def state(connection: Connection, tables: Sequence[Table], name: str) -> str | None:
    """Return a database's state, None where none of the tables is there.

    Args:
        connection: To it.
        tables: What it holds.
        name: The database's, for messages.

    Raises:
        ConfigError: A server's tables are another program's.
    """
    there = set(inspect(connection).get_table_names())
    if _MARK.name in there:
        mark = connection.execute(select(_MARK.c.version_num)).scalar()
        if mark is not None:
            return str(mark)
    names = there & {table.name for table in tables}
    if names and connection.dialect.name != "sqlite":
        raise ConfigError(
            f"{name}: has a table {min(names)} that is not this program's; name a database of its "
            "own"
        )
    return OLDEST if names else None


def upgrade(connection: Connection, tables: Sequence[Table], name: str) -> str | None:
    """Bring a database to today's state, and return the one that it had; None for an empty one.

    Args:
        connection: In a transaction.
        tables: What it holds.
        name: The database's, for messages.

    Raises:
        ConfigError: A newer version of this program has made it.
    """
    before = state(connection, tables, name)
    check_state(before, name)
    if before == NEWEST:
        return before
    _MARK.create(connection, checkfirst=True)
    if before is None:
        TABLES.create_all(connection, tables=tables)
        connection.execute(insert(_MARK).values(version_num=NEWEST))
        return None
    if connection.execute(select(_MARK.c.version_num)).scalar() is None:
        connection.execute(insert(_MARK).values(version_num=before))
    _run_steps(connection, tables)
    _log.info("%s: upgraded from state %s to %s", name, before, NEWEST)
    return before


def check_state(current: str | None, name: str) -> None:
    """Refuse a state that this version does not know.

    Raises:
        ConfigError: It does not.
    """
    if current not in (None, OLDEST, NEWEST):
        raise ConfigError(
            f"{name}: made by a newer version of this program (its tables are of state {current}, "
            f"expected {NEWEST} or older); install that version, or name another place"
        )


def _run_steps(connection: Connection, tables: Sequence[Table]) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells much of itself, at import too
    from alembic import command  # half a second, once in a database's life
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HISTORY))
    config.attributes |= {
        "connection": connection,
        "tables": {table.name for table in tables},
        "mark": _MARK.name,
    }
    command.upgrade(config, "head")


def _state_in(database: sqlite3.Connection) -> str | None:
    there = database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_MARK.name,))
    if there.fetchone() is None:
        return None
    row = database.execute(f"SELECT version_num FROM {_MARK.name}").fetchone()
    return None if row is None else str(row[0])
