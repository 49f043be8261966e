"""A data folder's files -> the database of several machines, all or nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, Integer, Table, func, insert, select, text

from backend.storage.data_folder import DataFolder
from backend.storage.database import Database
from backend.storage.file_database import FileDatabase
from backend.storage.server_database import ServerDatabase
from backend.storage.tables import JOBS, REGIONS, SESSIONS, TABLES, Part, jobs, serving
from backend.storage.upgrading import upgrade
from mfp_model.errors import ConfigError
from mfp_model.files import write_atomically

_ROWS_AT_ONCE = 500
_ACTIVE_S = 60.0  # a job that was heard of since is running


def upgrade_files(data: DataFolder) -> list[Path]:
    """Bring a folder's files to today's state, as their first use would, and return them.

    Raises:
        StorageError: One cannot be written.
        ConfigError: A newer version of this program has made one.
    """
    files = [(path, part) for path, part in _parts(data) if path.is_file()]
    for path, part in files:
        FileDatabase(path, part)
    return [path for path, _ in files]


def upgrade_server(server: ServerDatabase) -> str | None:
    """Bring a database to today's state, and return the one that it had; None for an empty one.

    Raises:
        StorageError: It cannot be reached, or the tables cannot be changed.
        ConfigError: A newer version of this program has made it.
    """
    with server.changing("upgrade") as connection:
        return upgrade(connection, TABLES.sorted_tables, "MFP_DATABASE_URL")


def move(data: DataFolder, server: ServerDatabase) -> dict[str, int]:
    """Copy what a folder's files hold into a database; the files stay, and are used no more.

    Args:
        data: The folder, which no server uses meanwhile.
        server: The database, in today's state.

    Returns:
        The rows copied, by table; empty where there was nothing, or all was moved before.

    Raises:
        ConfigError: A job is running, or the database has rows already.
        StorageError: A file or the database cannot be used.
    """
    histories = _serving(data)
    files = [(path, part) for path, part in _parts(data) if path.is_file()]
    if data.moved_file.exists() or not (files or histories):
        return {}
    counts: dict[str, int] = {}
    with server.changing("upgrade") as target:
        for path, part in files:
            source = FileDatabase(path, part)
            _refuse_running(path, source)
            for table in part.tables:
                counts[table.name] = _copy(table, source, target)
        _refuse_filled(target, serving)
        for name, history in histories.items():
            row = {"name": name, "history": json.dumps(list(history)), "n_changes": 1}
            target.execute(insert(serving), row)
        counts[serving.name] = len(histories)
    told = json.dumps({"at": round(time.time(), 3), "rows": counts}, indent=1)
    write_atomically(data.moved_file, told.encode())
    return counts


def _parts(data: DataFolder) -> list[tuple[Path, Part]]:
    return [
        (data.jobs_file, JOBS),
        (data.regions_file, REGIONS),
        (data.sessions_file, SESSIONS),
    ]


def _serving(data: DataFolder) -> Mapping[str, list[str]]:
    path = data.models / "serving.json"
    try:
        return dict(json.loads(path.read_text())) if path.exists() else {}
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: damaged ({error}); correct or remove it") from None


def _copy(table: Table, source: Database, target: Connection) -> int:
    _refuse_filled(target, table)
    n_rows = 0
    with source.using() as connection:
        rows = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(table))
        for some in rows.mappings().partitions(_ROWS_AT_ONCE):
            target.execute(insert(table), [_storable(dict(row)) for row in some])
            n_rows += len(some)
    number = next((key for key in table.primary_key if isinstance(key.type, Integer)), None)
    if number is not None and n_rows:  # the next one comes after those that were copied
        last = target.execute(select(func.max(number))).scalar_one()
        sequence = f"pg_get_serial_sequence('{table.name}', '{number.name}')"
        target.execute(text(f"SELECT setval({sequence}, :last)"), {"last": last})
    return n_rows


def _storable(row: Mapping[str, object]) -> dict[str, object]:
    """A row without the letter that PostgreSQL cannot store."""
    return {
        name: value.replace("\0", "\\0") if isinstance(value, str) else value
        for name, value in row.items()
    }


def _refuse_running(path: Path, source: Database) -> None:
    if path.name != "jobs.sqlite3":
        return
    running = select(jobs.c.id).where(jobs.c.seen > time.time() - _ACTIVE_S)
    with source.using() as connection:
        number = connection.execute(running.where(jobs.c.state == "running")).scalar()
    if number is not None:
        raise ConfigError(f"{path}: job {number} is running; stop the server, then try again")


def _refuse_filled(target: Connection, table: Table) -> None:
    if target.execute(select(table).limit(1)).first() is not None:
        raise ConfigError(
            f"MFP_DATABASE_URL: table {table.name} has rows already; move into an empty database, "
            "or name a data folder without a state of its own"
        )
